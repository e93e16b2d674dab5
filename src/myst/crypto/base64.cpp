#include "myst/crypto/base64.hpp"

namespace myst::crypto {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> make_values() {
    std::array<std::int8_t, 256> values{};
    for (auto& value : values) value = -1;
    for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
        values[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
    }
    return values;
}
constexpr auto kValues = make_values();

std::size_t padding_length(std::string_view text) {
    if (text.ends_with("==")) return 2;
    return text.ends_with('=') ? 1 : 0;
}

}  // namespace

std::string to_base64(BytesView data) {
    std::string text;
    text.reserve((data.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < data.size(); i += 3) {
        const std::size_t left = data.size() - i;
        std::uint32_t group = static_cast<std::uint32_t>(data[i]) << 16;
        if (left > 1) group |= static_cast<std::uint32_t>(data[i + 1]) << 8;
        if (left > 2) group |= data[i + 2];
        text.push_back(kAlphabet[group >> 18]);
        text.push_back(kAlphabet[(group >> 12) & 63]);
        text.push_back(left > 1 ? kAlphabet[(group >> 6) & 63] : '=');
        text.push_back(left > 2 ? kAlphabet[group & 63] : '=');
    }
    return text;
}

Result<Bytes> parse_base64(std::string_view text) {
    if (text.size() % 4 != 0) return fail(ErrorCode::invalid_data, "base64 text must come in groups of four");
    const std::size_t digits = text.size() - padding_length(text);
    Bytes data;
    data.reserve(text.size() / 4 * 3);
    std::uint32_t group = 0;
    unsigned bits = 0;
    for (char c : text.substr(0, digits)) {
        const auto value = kValues[static_cast<unsigned char>(c)];
        if (value < 0) return fail(ErrorCode::invalid_data, "not a base64 digit");
        group = (group << 6) | static_cast<std::uint8_t>(value);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            data.push_back(static_cast<std::uint8_t>(group >> bits));
            group &= (1U << bits) - 1;
        }
    }
    if (group != 0) return fail(ErrorCode::invalid_data, "base64 text has unused bits set");
    return data;
}

}  // namespace myst::crypto
