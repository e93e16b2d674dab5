// The Internet checksum (RFC 1071). Sums are kept in memory order, so nothing is swapped whatever the machine.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "myst/base/bytes.hpp"

namespace myst::wireguard {

/// A one's complement sum that is not folded yet. Sums may be added up as long as every part but the last has an even
/// number of bytes; 2³⁰ bytes are far from overflowing one.
using ChecksumSum = std::uint64_t;

/// Of the bytes as 16-bit words; a last odd byte is followed by a zero.
[[nodiscard]] ChecksumSum sum_of(BytesView bytes);

/// The same, and copies them to `to`, which has room for them and does not overlap.
[[nodiscard]] ChecksumSum copy_and_sum(BytesView bytes, std::uint8_t* to);

/// For tests: `sum_of` by each of its ways that this processor can go.
[[nodiscard]] std::vector<ChecksumSum> sums_by_every_way(BytesView bytes);

/// Of one 16-bit word that stands in network order on the wire.
[[nodiscard]] ChecksumSum sum_of_word(std::uint16_t value);

/// Of the pseudo-header of TCP or UDP (RFC 9293, RFC 8200): addresses, protocol, and length of the transport's header
/// and payload. `ip` is a complete IPv4 or IPv6 header.
[[nodiscard]] ChecksumSum pseudo_header_sum(BytesView ip, std::uint8_t protocol, std::size_t length);

/// Folded to 16 bits, in memory order, not complemented.
[[nodiscard]] std::uint16_t folded(ChecksumSum sum);

/// Whether what was summed, its checksum included, is intact.
[[nodiscard]] inline bool is_intact(ChecksumSum sum) {
    return folded(sum) == 0xffff;
}

/// Writes the checksum: the complement of the folded sum.
inline void store_checksum(std::uint8_t* at, ChecksumSum sum) {
    const auto value = static_cast<std::uint16_t>(~folded(sum));
    std::memcpy(at, &value, sizeof value);
}

/// The same for UDP, where 0 means that there is none and 0xffff is put instead.
inline void store_udp_checksum(std::uint8_t* at, ChecksumSum sum) {
    const auto value = static_cast<std::uint16_t>(~folded(sum));
    const auto stored = value == 0 ? static_cast<std::uint16_t>(0xffff) : value;
    std::memcpy(at, &stored, sizeof stored);
}

}  // namespace myst::wireguard
