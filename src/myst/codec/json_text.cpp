#include "myst/codec/json_text.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

namespace myst::codec::detail {
namespace {

/// The characters of a JSON text that are written as they are.
constexpr std::array<bool, 256> kIsPlain = [] {
    std::array<bool, 256> plain{};
    for (std::size_t i = 0x20; i < plain.size(); ++i) plain[i] = i != '"' && i != '\\';
    return plain;
}();

}  // namespace

void append_json_string(std::string& out, std::string_view text, ControlCharacters controls) {
    out.push_back('"');
    std::size_t copied = 0;  // what needs no escape is copied in one piece
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (kIsPlain[static_cast<unsigned char>(c)]) continue;
        out.append(text, copied, i - copied);
        copied = i + 1;
        switch (c) {
            case '\n': out += "\\n"; break;
            case '"': out += "\\\""; break;
            case '\\': out += "\\\\"; break;
            case '\r': out += "\\r"; break;
            case '\t': out += "\\t"; break;
            case '\b': out += "\\b"; break;
            case '\f': out += "\\f"; break;
            default:
                if (controls == ControlCharacters::escaped) {
                    out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
                } else {
                    out.push_back(c);
                }
        }
    }
    out.append(text, copied);
    out.push_back('"');
}

std::optional<std::uint64_t> as_integer(const boost::json::value& value, std::uint64_t max) {
    if (!value.is_int64() || value.get_int64() < 0) return std::nullopt;
    const auto number = static_cast<std::uint64_t>(value.get_int64());
    if (number > max) return std::nullopt;
    return number;
}

std::optional<std::string_view> as_string(const boost::json::value& value) {
    if (!value.is_string()) return std::nullopt;
    const auto& text = value.get_string();
    return std::string_view(text.data(), text.size());
}

bool is_lower_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace myst::codec::detail
