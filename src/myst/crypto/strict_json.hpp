// JSON from untrusted sources: bounded in size and depth, without duplicate member names. Only for .cpp files,
// so that Boost.JSON does not spread through our headers.
#pragma once

#include <string_view>

#include <boost/json/value.hpp>

#include "myst/base/error.hpp"

namespace myst::crypto {

/// Nesting that `parse_json` accepts.
inline constexpr std::size_t kJsonMaxDepth = 32;

/// Parses one JSON text that fills the whole input. Larger input than `max_bytes` is limit_exceeded; bad syntax or
/// UTF-8, deeper nesting, and a member name that occurs twice in an object are invalid_data.
/// The value's memory comes from `memory`, which must outlive it.
[[nodiscard]] Result<boost::json::value> parse_json(std::string_view text, std::size_t max_bytes,
                                                    boost::json::storage_ptr memory = {});

}  // namespace myst::crypto
