#include "myst/dataplane/joined_headers.hpp"

#include "myst/wireguard/offload/ip_header.hpp"
#include "myst/wireguard/offload/vnet_header.hpp"

namespace myst::dataplane {

void count_joined_headers(const wireguard::Device& device, std::span<const iovec> write) {
    using wireguard::IpAddress;
    using wireguard::VnetHeader;
    const BytesView head(static_cast<const std::uint8_t*>(write.front().iov_base), write.front().iov_len);
    const auto vnet = VnetHeader::decode(head.first<VnetHeader::kSize>());
    if (vnet.gso_type == VnetHeader::kGsoNone) return;
    const auto ip = head.subspan(VnetHeader::kSize);
    const bool v4 = wireguard::is_ipv4(ip);
    const std::size_t at = v4 ? wireguard::kIpv4AddressesAt : wireguard::kIpv6AddressesAt;
    const std::size_t size = v4 ? 4 : 16;
    wireguard::InnerPacket packet{IpAddress::from(ip.subspan(at, size)), IpAddress::from(ip.subspan(at + size, size))};
    packet.length = v4 ? wireguard::load_be16(ip.data() + wireguard::kIpv4LengthAt)
                       : wireguard::kIpv6Header + wireguard::load_be16(ip.data() + wireguard::kIpv6LengthAt);
    const auto peer = device.route(packet.source);
    auto* meter = peer ? device.meter(*peer) : nullptr;
    if (meter == nullptr || meter->in_garden(packet)) return;
    const std::size_t payload = packet.length - vnet.header_size;
    const std::size_t packets = (payload + vnet.gso_size - 1) / vnet.gso_size;
    meter->count_joined((packets - 1) * vnet.header_size);
}

}  // namespace myst::dataplane
