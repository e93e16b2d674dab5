// Members of the API's answers. What is missing or of another type reads as "?" or zero instead of ending the program.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "myst/base/amount.hpp"

namespace myst::console {

/// The member; a null value if there is none.
[[nodiscard]] const boost::json::value& at(const boost::json::value& object, std::string_view name);
/// Printable, whatever the daemon sent.
[[nodiscard]] std::string text_at(const boost::json::value& object, std::string_view name);
[[nodiscard]] std::uint64_t number_at(const boost::json::value& object, std::string_view name);
[[nodiscard]] bool flag_at(const boost::json::value& object, std::string_view name);
/// With symbol.
[[nodiscard]] std::string amount_at(const boost::json::value& object, std::string_view name);
/// Items of an array; none if it is not an array.
[[nodiscard]] const boost::json::array& items_at(const boost::json::value& object, std::string_view name);

}  // namespace myst::console
