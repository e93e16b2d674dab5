#include "myst/wireguard/offload/ip_header.hpp"

namespace myst::wireguard {

namespace {

// Extension headers of IPv6 that may stand before a transport header and say their own length.
constexpr std::uint8_t kHopByHop = 0;
constexpr std::uint8_t kRouting = 43;
constexpr std::uint8_t kDestinationOptions = 60;
constexpr std::uint8_t kIpv6Fragment = 44;
constexpr std::size_t kExtensionUnit = 8;

std::optional<Transport> find_ipv6_transport(BytesView packet) {
    Transport found{kIpv6Header, packet[kIpv6NextAt]};
    while (found.protocol == kHopByHop || found.protocol == kRouting || found.protocol == kDestinationOptions) {
        if (packet.size() < found.at + kExtensionUnit) return std::nullopt;
        found.protocol = packet[found.at];
        found.at += kExtensionUnit * (packet[found.at + 1] + std::size_t{1});
    }
    if (found.protocol == kIpv6Fragment || found.at > packet.size()) return std::nullopt;
    return found;
}

}  // namespace

bool is_ip(BytesView packet) {
    if (packet.size() < kIpv4Header) return false;
    if (is_ipv4(packet)) {
        const auto header = ip_header_size(packet);
        return header >= kIpv4Header && header <= packet.size() &&
               load_be16(packet.data() + kIpv4LengthAt) == packet.size();
    }
    return packet[0] >> 4 == 6 && packet.size() >= kIpv6Header &&
           load_be16(packet.data() + kIpv6LengthAt) + kIpv6Header == packet.size();
}

std::size_t ip_header_size(BytesView packet) {
    return is_ipv4(packet) ? std::size_t{4} * (packet[0] & 0x0f) : kIpv6Header;
}

BytesView ip_addresses(BytesView packet) {
    return is_ipv4(packet) ? packet.subspan(kIpv4AddressesAt, 8) : packet.subspan(kIpv6AddressesAt, 32);
}

std::optional<Transport> find_transport(BytesView packet) {
    if (!is_ipv4(packet)) return find_ipv6_transport(packet);
    if ((load_be16(packet.data() + kIpv4FragmentAt) & kIpv4FragmentMask) != 0) return std::nullopt;
    return Transport{ip_header_size(packet), packet[kIpv4ProtocolAt]};
}

std::optional<std::size_t> tcp_header_size(BytesView transport) {
    if (transport.size() < kTcpHeader) return std::nullopt;
    const auto size = std::size_t{4} * (transport[kTcpOffsetAt] >> 4);
    if (size < kTcpHeader || size > transport.size()) return std::nullopt;
    return size;
}

}  // namespace myst::wireguard
