// Writing JSON strings, and the checked reading of members that events and filters share. Only for .cpp files.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <boost/json/value.hpp>

#include "myst/base/bytes.hpp"
#include "myst/base/clock.hpp"

namespace myst::codec::detail {

/// What happens to control characters that NIP-01 does not list: its serialisation for hashing leaves them as they
/// are, JSON requires \u00XX.
enum class ControlCharacters { verbatim, escaped };
/// Appends `text` in quotes.
void append_json_string(std::string& out, std::string_view text, ControlCharacters controls);

/// Seconds and other numbers end here, the largest integer that every JSON implementation carries exactly.
inline constexpr std::uint64_t kMaxJsonInteger = (1ULL << 53) - 1;

/// A non-negative integer up to `max`, written without fraction or exponent.
[[nodiscard]] std::optional<std::uint64_t> as_integer(const boost::json::value& value, std::uint64_t max);
[[nodiscard]] std::optional<std::string_view> as_string(const boost::json::value& value);
[[nodiscard]] inline UnixTime to_unix_time(std::uint64_t since_1970) {
    return UnixTime(seconds(static_cast<std::int64_t>(since_1970)));
}

[[nodiscard]] bool is_lower_hex(std::string_view text);
/// Hex in lower case without a prefix, of exactly the right length, as NIP-01 demands.
template <class Fixed>
[[nodiscard]] std::optional<Fixed> as_fixed(const boost::json::value& value) {
    const auto text = as_string(value);
    if (!text || text->size() != Fixed::kSize * 2 || !is_lower_hex(*text)) return std::nullopt;
    return *Fixed::parse(*text);
}

}  // namespace myst::codec::detail
