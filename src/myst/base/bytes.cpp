#include "myst/base/bytes.hpp"

#include <array>

namespace myst {
namespace {

constexpr char kDigits[] = "0123456789abcdef";

/// Of each character; negative for what is no hex digit.
constexpr std::array<std::int8_t, 256> kDigitValues = [] {
    std::array<std::int8_t, 256> values{};
    values.fill(-1);
    for (std::int8_t i = 0; i < 16; ++i) values[static_cast<unsigned char>(kDigits[i])] = i;
    for (std::int8_t i = 10; i < 16; ++i) values[static_cast<unsigned char>('A' + i - 10)] = i;
    return values;
}();

int digit_value(char c) {
    return kDigitValues[static_cast<unsigned char>(c)];
}

std::string_view strip_prefix(std::string_view text) {
    return text.starts_with("0x") ? text.substr(2) : text;
}

}  // namespace

std::string to_hex(BytesView bytes) {
    std::string text(bytes.size() * 2, '0');
    char* next = text.data();
    for (auto byte : bytes) {
        *next++ = kDigits[byte >> 4];
        *next++ = kDigits[byte & 0x0f];
    }
    return text;
}

std::string to_hex0x(BytesView bytes) {
    return "0x" + to_hex(bytes);
}

Result<> parse_hex_into(std::string_view text, std::span<std::uint8_t> out) {
    const auto digits = strip_prefix(text);
    if (digits.size() != out.size() * 2) {
        return fail(ErrorCode::invalid_data,
                    "expected " + std::to_string(out.size() * 2) + " hex digits, got " + std::to_string(digits.size()));
    }
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int high = digit_value(digits[2 * i]);
        const int low = digit_value(digits[2 * i + 1]);
        if (high < 0 || low < 0) {
            return fail(ErrorCode::invalid_data, "not a hex digit at position " + std::to_string(2 * i));
        }
        out[i] = static_cast<std::uint8_t>((high << 4) | low);
    }
    return {};
}

Result<Bytes> parse_hex(std::string_view text) {
    const auto digits = strip_prefix(text);
    if (digits.size() % 2 != 0) return fail(ErrorCode::invalid_data, "odd number of hex digits");
    Bytes bytes(digits.size() / 2);
    if (auto parsed = parse_hex_into(digits, bytes); !parsed) return forward_error(parsed);
    return bytes;
}

}  // namespace myst
