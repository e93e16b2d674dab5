#include "myst/base/printable.hpp"

#include <cstdint>
#include <optional>

namespace myst {
namespace {

struct Character {
    std::uint32_t code = 0;
    std::size_t size = 0;
};

/// The character at the beginning of `text`; none if it is not well-formed UTF-8 (RFC 3629).
std::optional<Character> first_character(std::string_view text) {
    const auto first = static_cast<std::uint8_t>(text[0]);
    if (first < 0x80) return Character{first, 1};
    const std::size_t size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < size) return std::nullopt;
    std::uint32_t code = first & (0xffU >> (size + 1));
    for (std::size_t i = 1; i < size; ++i) {
        const auto next = static_cast<std::uint8_t>(text[i]);
        if ((next & 0xc0U) != 0x80U) return std::nullopt;
        code = (code << 6U) | (next & 0x3fU);
    }
    const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
    if (overlong || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return std::nullopt;
    return Character{code, size};
}

bool is_harmless(std::uint32_t code) {
    const bool control = code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029;
    const bool direction = code == 0x061c || code == 0x200e || code == 0x200f || (code >= 0x202a && code <= 0x202e) ||
                           (code >= 0x2066 && code <= 0x2069);
    return !control && !direction;
}

}  // namespace

std::string printable(std::string_view text, std::size_t max_bytes) {
    std::string result;
    for (std::size_t at = 0; at < text.size();) {
        const auto character = first_character(text.substr(at));
        const bool keep = character && is_harmless(character->code);
        const std::string_view part = keep ? text.substr(at, character->size) : std::string_view("?");
        if (result.size() + part.size() > max_bytes) return result + "…";
        result += part;
        at += character ? character->size : 1;
    }
    return result;
}

}  // namespace myst
