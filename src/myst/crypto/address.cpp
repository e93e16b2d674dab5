#include "myst/crypto/address.hpp"

#include <algorithm>

#include "myst/crypto/keccak.hpp"

namespace myst::crypto {
namespace {

bool is_lower(char c) {
    return c >= 'a' && c <= 'f';
}
bool is_upper(char c) {
    return c >= 'A' && c <= 'F';
}

}  // namespace

std::string to_checksum(const Address& address) {
    std::string text = address.hex();
    const auto hash = keccak256(as_bytes(text));
    for (std::size_t i = 0; i < text.size(); ++i) {
        const unsigned nibble = i % 2 == 0 ? hash.bytes[i / 2] >> 4U : hash.bytes[i / 2] & 0x0fU;
        if (is_lower(text[i]) && nibble >= 8) text[i] = static_cast<char>(text[i] - 'a' + 'A');
    }
    return "0x" + text;
}

Result<Address> parse_address(std::string_view text) {
    if (!text.starts_with("0x")) return fail(ErrorCode::invalid_argument, "an address begins with 0x");
    const auto digits = text.substr(2);
    // FixedBytes::parse would skip a second prefix; the length rules that out: "0x" is not a pair of digits.
    if (digits.size() != Address::kSize * 2) {
        return fail(ErrorCode::invalid_argument, "an address has 40 hex digits after 0x");
    }
    Address address;
    if (!parse_hex_into(digits, address.bytes)) {
        return fail(ErrorCode::invalid_argument, "an address consists of hex digits");
    }
    const bool mixed =
        std::any_of(digits.begin(), digits.end(), is_lower) && std::any_of(digits.begin(), digits.end(), is_upper);
    if (mixed && to_checksum(address) != text) {
        return fail(ErrorCode::invalid_argument, "the address has a wrong checksum",
                    "check it for a mistyped character");
    }
    return address;
}

}  // namespace myst::crypto
