// Byte strings and fixed-size byte arrays, and their hexadecimal text form.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "myst/base/error.hpp"

namespace myst {

using Bytes = std::vector<std::uint8_t>;
using BytesView = std::span<const std::uint8_t>;

/// The bytes of a text, without copying.
[[nodiscard]] inline BytesView as_bytes(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The text made of these bytes, without copying.
[[nodiscard]] inline std::string_view as_text(BytesView bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Lower-case hex without a prefix.
[[nodiscard]] std::string to_hex(BytesView bytes);
/// Lower-case hex with the 0x prefix that Ethereum uses.
[[nodiscard]] std::string to_hex0x(BytesView bytes);

/// Strict hex: an even number of digits, either case, with or without 0x; anything else is invalid_data.
[[nodiscard]] Result<Bytes> parse_hex(std::string_view text);
/// Decodes into `out`; the text must hold exactly out.size() bytes. On failure `out` is unspecified.
[[nodiscard]] Result<> parse_hex_into(std::string_view text, std::span<std::uint8_t> out);

/// A fixed-size byte string that cannot be confused with another of the same size: `Tag` names its meaning.
template <std::size_t N, class Tag>
struct FixedBytes {
    static constexpr std::size_t kSize = N;
    std::array<std::uint8_t, N> bytes{};

    /// Copies exactly N bytes; any other length is invalid_data.
    [[nodiscard]] static Result<FixedBytes> from(BytesView view) {
        if (view.size() != N) {
            return fail(ErrorCode::invalid_data,
                        "expected " + std::to_string(N) + " bytes, got " + std::to_string(view.size()));
        }
        FixedBytes result;
        std::copy(view.begin(), view.end(), result.bytes.begin());
        return result;
    }
    /// Strict hex of exactly N bytes, with or without 0x.
    [[nodiscard]] static Result<FixedBytes> parse(std::string_view text) {
        FixedBytes result;
        if (auto parsed = parse_hex_into(text, result.bytes); !parsed) return forward_error(parsed);
        return result;
    }
    [[nodiscard]] BytesView view() const { return bytes; }
    [[nodiscard]] std::string hex() const { return to_hex(bytes); }
    [[nodiscard]] std::string hex0x() const { return to_hex0x(bytes); }
    [[nodiscard]] bool is_zero() const {
        for (auto byte : bytes) {
            if (byte != 0) return false;
        }
        return true;
    }
    auto operator<=>(const FixedBytes&) const = default;
};

/// Hash for unordered containers; the bytes are uniformly distributed already or short.
struct FixedBytesHash {
    template <std::size_t N, class Tag>
    std::size_t operator()(const FixedBytes<N, Tag>& value) const {
        return std::hash<std::string_view>{}(as_text(value.view()));
    }
};

/// A 32-byte digest or word, as Ethereum and Nostr use them.
using Hash32 = FixedBytes<32, struct HashTag>;
/// A 20-byte Ethereum account or contract address. Text form with checksum: crypto/address.hpp.
using Address = FixedBytes<20, struct AddressTag>;
/// A 32-byte x-only secp256k1 public key (BIP-340): identity of a node in the database.
using NodeKey = FixedBytes<32, struct NodeKeyTag>;
/// A WireGuard (Curve25519) public key.
using TunnelKey = FixedBytes<32, struct TunnelKeyTag>;
/// Identifies one session between a consumer and a provider; random, 16 bytes.
using SessionId = FixedBytes<16, struct SessionIdTag>;

}  // namespace myst
