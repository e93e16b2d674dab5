// Takes the outer array of a relay message apart without parsing what is inside.
#pragma once

#include <string_view>
#include <vector>

#include "myst/base/error.hpp"

namespace myst::db {

/// The texts of a JSON array's elements, in order, without surrounding blanks. Only the structure is looked at: every
/// element still has to be parsed. invalid_data if the text is not one array, nests deeper than 32 levels or has more
/// than `max_elements` elements.
[[nodiscard]] Result<std::vector<std::string_view>> split_json_array(std::string_view text, std::size_t max_elements);

}  // namespace myst::db
