// The words of plain values of an EIP-712 document.
#include <limits>

#include <fmt/format.h>

#include "myst/codec/abi.hpp"
#include "myst/codec/json_text.hpp"
#include "myst/codec/typed_data.hpp"
#include "myst/crypto/address.hpp"
#include "myst/crypto/keccak.hpp"

namespace myst::codec::eip712::detail {
namespace {

namespace json = boost::json;
using codec::detail::as_string;

constexpr std::size_t kMaxHexDigits = 64;

tl::unexpected<Error> bad(std::string_view what) {
    return fail(ErrorCode::invalid_data, fmt::format("typed data: {}", what));
}

/// A number as the document states it.
struct Number {
    bool negative = false;
    Uint256 magnitude;
};

std::optional<Uint256> parse_decimal(std::string_view text) {
    if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    static const Uint256 max = std::numeric_limits<Uint256>::max();
    Uint256 value = 0;
    for (char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        const unsigned digit = static_cast<unsigned>(c - '0');
        if (value > (max - digit) / 10) return std::nullopt;
        value = value * 10 + digit;
    }
    return value;
}

std::optional<Uint256> parse_hex_number(std::string_view digits) {
    if (digits.empty() || digits.size() > kMaxHexDigits) return std::nullopt;
    const auto word = parse_hex(std::string(kMaxHexDigits - digits.size(), '0') + std::string(digits));
    if (!word || word->size() != Hash32::kSize) return std::nullopt;
    return abi::to_uint(*Hash32::from(*word));
}

/// JSON integers, and the texts "123", "-123" and "0x7b".
std::optional<Number> read_number(const json::value& value) {
    if (value.is_uint64()) return Number{false, value.get_uint64()};
    if (value.is_int64()) {
        const auto number = value.get_int64();
        const auto bits = static_cast<std::uint64_t>(number);
        return Number{number < 0, Uint256(number < 0 ? ~bits + 1 : bits)};
    }
    auto text = as_string(value);
    if (!text) return std::nullopt;
    const bool negative = text->starts_with('-');
    if (negative) text->remove_prefix(1);
    const bool hex = !negative && text->starts_with("0x");
    auto magnitude = hex ? parse_hex_number(text->substr(2)) : parse_decimal(*text);
    if (!magnitude || (negative && *magnitude == 0)) return std::nullopt;
    return Number{negative, *magnitude};
}

Result<Hash32> encode_unsigned(std::size_t bits, const json::value& value) {
    const auto number = read_number(value);
    if (!number || number->negative || (number->magnitude != 0 && msb(number->magnitude) >= bits)) {
        return bad(fmt::format("a value is not a uint{}", bits));
    }
    return abi::to_word(number->magnitude);
}

Result<Hash32> encode_signed(std::size_t bits, const json::value& value) {
    const auto number = read_number(value);
    if (!number) return bad(fmt::format("a value is not an int{}", bits));
    const Uint256 half = Uint256(1) << (bits - 1);
    if (number->negative ? number->magnitude > half : number->magnitude >= half) {
        return bad(fmt::format("a value does not fit into int{}", bits));
    }
    if (!number->negative) return abi::to_word(number->magnitude);
    // Two's complement: −m is the inverse of m − 1.
    Hash32 word = abi::to_word(number->magnitude - 1);
    for (auto& byte : word.bytes) byte = static_cast<std::uint8_t>(~byte);
    return word;
}

Result<Bytes> read_bytes(const json::value& value) {
    const auto text = as_string(value);
    if (!text || !text->starts_with("0x")) return bad("bytes are not written as 0x and hex digits");
    auto bytes = parse_hex(*text);
    if (!bytes) return bad("bytes are not written as 0x and hex digits");
    return bytes;
}

Result<Hash32> encode_fixed_bytes(std::size_t size, const json::value& value) {
    auto bytes = read_bytes(value);
    if (!bytes) return forward_error(bytes);
    if (bytes->size() != size) return bad(fmt::format("a value is not bytes{}", size));
    Hash32 word;
    std::copy(bytes->begin(), bytes->end(), word.bytes.begin());
    return word;
}

Result<Hash32> encode_address(const json::value& value) {
    const auto text = as_string(value);
    if (!text) return bad("a value is not an address");
    const auto address = crypto::parse_address(*text);
    if (!address) return bad(address.error().message);
    return abi::address_word(*address);
}

}  // namespace

Result<Hash32> encode_atomic(const TypeRef& type, const json::value& value) {
    switch (type.kind) {
        case Kind::unsigned_integer: return encode_unsigned(type.size, value);
        case Kind::signed_integer: return encode_signed(type.size, value);
        case Kind::fixed_bytes: return encode_fixed_bytes(type.size, value);
        case Kind::address: return encode_address(value);
        case Kind::boolean:
            if (!value.is_bool()) return bad("a value is not true or false");
            return abi::to_word(value.get_bool() ? 1U : 0U);
        case Kind::string:
            if (const auto text = as_string(value)) return crypto::keccak256(as_bytes(*text));
            return bad("a value is not a text");
        case Kind::bytes: {
            auto bytes = read_bytes(value);
            if (!bytes) return forward_error(bytes);
            return crypto::keccak256(*bytes);
        }
        case Kind::structure: break;
    }
    return bad("a struct is not a plain value");
}

}  // namespace myst::codec::eip712::detail
