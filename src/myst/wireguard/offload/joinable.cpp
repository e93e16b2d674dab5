#include "myst/wireguard/offload/joinable.hpp"

#include <algorithm>

#include "myst/wireguard/offload/checksum.hpp"
#include "myst/wireguard/offload/ip_header.hpp"

namespace myst::wireguard {

namespace {

using Kind = JoinablePacket::Kind;

constexpr std::size_t kPortsSize = 4;
/// Flags with which a segment stands alone.
constexpr std::uint8_t kTcpAlone = kTcpSyn | kTcpRst | kTcpUrg | kTcpCwr;
/// Flags that may differ between neighbours.
constexpr std::uint8_t kTcpLast = kTcpFin | kTcpPsh;

bool same_bytes(BytesView a, BytesView b, std::size_t from, std::size_t to) {
    return std::equal(a.begin() + static_cast<std::ptrdiff_t>(from), a.begin() + static_cast<std::ptrdiff_t>(to),
                      b.begin() + static_cast<std::ptrdiff_t>(from));
}

/// IPv4 with neither options nor fragments, IPv6 without extension headers, carrying TCP or UDP.
bool is_plain(BytesView bytes, const Transport& transport) {
    return transport.at == (is_ipv4(bytes) ? kIpv4Header : kIpv6Header) &&
           (transport.protocol == kTcp || transport.protocol == kUdp);
}

bool is_intact_packet(const JoinablePacket& packet) {
    const auto transport = packet.bytes.subspan(packet.ip_header);
    if (is_ipv4(packet.bytes) && !is_intact(sum_of(packet.bytes.first(packet.ip_header)))) return false;
    return is_intact(pseudo_header_sum(packet.bytes, packet.protocol, transport.size()) + sum_of(transport));
}

/// A sum of zero has two forms. Nobody makes 0xffff but for UDP, and a kernel that splits would make it 0.
bool has_odd_zero(const JoinablePacket& packet) {
    const auto* const transport = packet.bytes.data() + packet.ip_header;
    return (is_ipv4(packet.bytes) && load_be16(packet.bytes.data() + kIpv4ChecksumAt) == 0xffff) ||
           (packet.is_tcp() && load_be16(transport + kTcpChecksumAt) == 0xffff);
}

bool may_join_tcp(BytesView tcp) {
    return (tcp[kTcpFlagsAt] & kTcpAck) != 0 && (tcp[kTcpFlagsAt] & kTcpAlone) == 0;
}

bool has_checksum(const JoinablePacket& packet) {
    return packet.is_tcp() || load_be16(packet.bytes.data() + packet.ip_header + kUdpChecksumAt) != 0;
}

bool ip_headers_match(BytesView a, BytesView b) {
    if (!is_ipv4(a)) return same_bytes(a, b, 0, kIpv6LengthAt) && same_bytes(a, b, kIpv6NextAt, kIpv6Header);
    return same_bytes(a, b, 0, kIpv4LengthAt) && same_bytes(a, b, kIpv4FragmentAt, kIpv4ChecksumAt) &&
           same_bytes(a, b, kIpv4AddressesAt, kIpv4Header);
}

bool tcp_headers_match(BytesView a, BytesView b, std::size_t size) {
    return same_bytes(a, b, kTcpAcknowledgementAt, kTcpFlagsAt) &&
           ((a[kTcpFlagsAt] ^ b[kTcpFlagsAt]) & ~unsigned{kTcpLast}) == 0 &&
           same_bytes(a, b, kTcpWindowAt, kTcpChecksumAt) && same_bytes(a, b, kTcpUrgentAt, size);
}

}  // namespace

bool JoinablePacket::is_tcp() const {
    return protocol == kTcp;
}

bool JoinablePacket::ends_item() const {
    return is_tcp() && (bytes[ip_header + kTcpFlagsAt] & kTcpLast) != 0;
}

JoinablePacket examine(BytesView bytes) {
    JoinablePacket packet;
    packet.bytes = bytes;
    if (!is_ip(bytes)) return packet;
    const auto found = find_transport(bytes);
    if (!found || !is_plain(bytes, *found)) return packet;
    packet.protocol = found->protocol;
    packet.ip_header = found->at;
    const auto transport = bytes.subspan(found->at);
    const auto size = packet.is_tcp() ? tcp_header_size(transport) : std::optional(kUdpHeader);
    if (!size || *size > transport.size()) return packet;
    if (!packet.is_tcp() && load_be16(transport.data() + kUdpLengthAt) != transport.size()) return packet;
    packet.header = found->at + *size;
    packet.verified = has_checksum(packet) && is_intact_packet(packet);
    if (!packet.verified && has_checksum(packet)) return packet;  // the ports may be wrong, too

    if (is_ipv4(bytes)) packet.id = load_be16(bytes.data() + kIpv4IdAt);
    if (packet.is_tcp()) packet.sequence = load_be32(transport.data() + kTcpSequenceAt);
    const bool joins = packet.verified && packet.payload() != 0 && !has_odd_zero(packet) &&
                       (!packet.is_tcp() || may_join_tcp(transport));
    packet.kind = joins ? Kind::joinable : Kind::solitary;
    return packet;
}

bool same_addresses(BytesView a, BytesView b) {
    if (!is_ip(a) || !is_ip(b) || is_ipv4(a) != is_ipv4(b)) return false;
    const auto left = ip_addresses(a);
    const auto right = ip_addresses(b);
    return std::equal(left.begin(), left.end(), right.begin(), right.end());
}

bool same_flow(const JoinablePacket& a, const JoinablePacket& b) {
    return a.protocol == b.protocol && is_ipv4(a.bytes) == is_ipv4(b.bytes) &&
           same_bytes(a.bytes.subspan(a.ip_header), b.bytes.subspan(b.ip_header), 0, kPortsSize) &&
           same_addresses(a.bytes, b.bytes);
}

bool headers_match(const JoinablePacket& a, const JoinablePacket& b) {
    if (a.header != b.header || !ip_headers_match(a.bytes, b.bytes)) return false;
    return !a.is_tcp() ||
           tcp_headers_match(a.bytes.subspan(a.ip_header), b.bytes.subspan(b.ip_header), a.header - a.ip_header);
}

}  // namespace myst::wireguard
