// Fields of IPv4, IPv6, TCP and UDP headers, and where the transport header of a packet begins.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "myst/base/bytes.hpp"

namespace myst::wireguard {

constexpr std::size_t kMaxIpPacket = 65'535;
constexpr std::size_t kIpv4Header = 20;  ///< without options
constexpr std::size_t kIpv6Header = 40;  ///< without extension headers
constexpr std::size_t kTcpHeader = 20;   ///< without options
constexpr std::size_t kUdpHeader = 8;

constexpr std::uint8_t kTcp = 6;
constexpr std::uint8_t kUdp = 17;

// Places in an IPv4 header.
constexpr std::size_t kIpv4LengthAt = 2;
constexpr std::size_t kIpv4IdAt = 4;
constexpr std::size_t kIpv4FragmentAt = 6;
constexpr std::size_t kIpv4ProtocolAt = 9;
constexpr std::size_t kIpv4ChecksumAt = 10;
constexpr std::size_t kIpv4AddressesAt = 12;
constexpr std::uint16_t kIpv4DontFragment = 0x4000;
constexpr std::uint16_t kIpv4FragmentMask = 0x3fff;  ///< more fragments, and the offset

// Places in an IPv6 header.
constexpr std::size_t kIpv6LengthAt = 4;
constexpr std::size_t kIpv6NextAt = 6;
constexpr std::size_t kIpv6AddressesAt = 8;

// Places in a TCP header, and its flags.
constexpr std::size_t kTcpSequenceAt = 4;
constexpr std::size_t kTcpAcknowledgementAt = 8;
constexpr std::size_t kTcpOffsetAt = 12;
constexpr std::size_t kTcpFlagsAt = 13;
constexpr std::size_t kTcpWindowAt = 14;
constexpr std::size_t kTcpChecksumAt = 16;
constexpr std::size_t kTcpUrgentAt = 18;
constexpr std::uint8_t kTcpFin = 0x01;
constexpr std::uint8_t kTcpSyn = 0x02;
constexpr std::uint8_t kTcpRst = 0x04;
constexpr std::uint8_t kTcpPsh = 0x08;
constexpr std::uint8_t kTcpAck = 0x10;
constexpr std::uint8_t kTcpUrg = 0x20;
constexpr std::uint8_t kTcpCwr = 0x80;

// Places in a UDP header.
constexpr std::size_t kUdpLengthAt = 4;
constexpr std::size_t kUdpChecksumAt = 6;

[[nodiscard]] inline std::uint16_t load_be16(const std::uint8_t* at) {
    return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}
[[nodiscard]] inline std::uint32_t load_be32(const std::uint8_t* at) {
    return static_cast<std::uint32_t>(load_be16(at)) << 16 | load_be16(at + 2);
}
inline void store_be16(std::uint8_t* at, std::uint16_t value) {
    at[0] = static_cast<std::uint8_t>(value >> 8);
    at[1] = static_cast<std::uint8_t>(value);
}
inline void store_be32(std::uint8_t* at, std::uint32_t value) {
    store_be16(at, static_cast<std::uint16_t>(value >> 16));
    store_be16(at + 2, static_cast<std::uint16_t>(value));
}

/// Of a packet that is_ip.
[[nodiscard]] inline bool is_ipv4(BytesView packet) {
    return packet[0] >> 4 == 4;
}

/// Whether this is one whole IP packet: its fixed header is complete and its length is that of `packet`.
[[nodiscard]] bool is_ip(BytesView packet);

/// The IPv4 header with its options, or the IPv6 header without its extensions. `packet` is_ip.
[[nodiscard]] std::size_t ip_header_size(BytesView packet);

/// Both addresses, one after the other. `packet` is_ip.
[[nodiscard]] BytesView ip_addresses(BytesView packet);

struct Transport {
    std::size_t at = 0;  ///< where its header begins, behind options and extension headers
    std::uint8_t protocol = 0;
};

/// Nothing if the packet is a fragment, or if its extension headers are cut off or not known. `packet` is_ip.
[[nodiscard]] std::optional<Transport> find_transport(BytesView packet);

/// The TCP header with its options, or nothing if it is not complete.
[[nodiscard]] std::optional<std::size_t> tcp_header_size(BytesView transport);

}  // namespace myst::wireguard
