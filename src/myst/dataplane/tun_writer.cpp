#include "myst/dataplane/tun_writer.hpp"

#include <array>

#include "myst/base/log.hpp"
#include "myst/wireguard/offload/ip_header.hpp"
#include "myst/wireguard/offload/vnet_header.hpp"

namespace myst::dataplane {
namespace {

using wireguard::VnetHeader;

bool is_refused(const Result<bool>& written) {
    return !written && written.error().code == ErrorCode::invalid_argument;
}

void say_what_went_wrong(const Result<bool>& written) {
    if (!written) log::warn("dataplane: {}", written.error().describe());
}

void say_not_joined(bool tcp) {
    log::warn("dataplane: this kernel does not take joined {} packets; they are written one by one from now on",
              tcp ? "TCP" : "UDP");
}

iovec part_of(BytesView bytes) {
    return {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};  // only read
}

/// The packets of a write one by one. They were verified, or they would not have been joined.
void write_apart(const wireguard::Coalescer& coalescer, const wireguard::TunWrite& refused,
                 const TunWriteFunction& write) {
    VnetHeader header;
    header.flags = VnetHeader::kDataValid;
    std::array<std::uint8_t, VnetHeader::kSize> encoded{};
    header.encode(encoded);
    coalescer.for_each_packet(refused, [&](BytesView packet) {
        const std::array<iovec, 2> parts{part_of(encoded), part_of(packet)};
        say_what_went_wrong(write(parts));
    });
}

/// A joined packet of two segments with its header: with hop limit 0 and wrong checksums, between addresses that are
/// for discarding (RFC 6666) and for documentation (RFC 5737).
Bytes joined_probe(bool tcp, bool v6) {
    constexpr std::size_t kSegment = 100;
    const std::size_t ip_header = v6 ? wireguard::kIpv6Header : wireguard::kIpv4Header;
    const std::size_t transport = tcp ? wireguard::kTcpHeader : wireguard::kUdpHeader;
    const std::size_t checksum = tcp ? wireguard::kTcpChecksumAt : wireguard::kUdpChecksumAt;
    const std::uint8_t segmented = v6 ? VnetHeader::kGsoTcp6 : VnetHeader::kGsoTcp4;
    Bytes bytes(VnetHeader::kSize + ip_header + transport + 2 * kSegment);
    const VnetHeader header{VnetHeader::kNeedsChecksum,
                            tcp ? segmented : VnetHeader::kGsoUdp,
                            static_cast<std::uint16_t>(ip_header + transport),
                            kSegment,
                            static_cast<std::uint16_t>(ip_header),
                            static_cast<std::uint16_t>(checksum)};
    header.encode(std::span(bytes).first<VnetHeader::kSize>());
    auto* const ip = bytes.data() + VnetHeader::kSize;
    const std::size_t length = bytes.size() - VnetHeader::kSize;
    if (v6) {
        ip[0] = 0x60;
        wireguard::store_be16(ip + wireguard::kIpv6LengthAt, static_cast<std::uint16_t>(length - ip_header));
        ip[wireguard::kIpv6NextAt] = tcp ? wireguard::kTcp : wireguard::kUdp;
        ip[wireguard::kIpv6AddressesAt] = ip[wireguard::kIpv6AddressesAt + 16] = 1;  // 100::/64
    } else {
        ip[0] = 0x45;
        wireguard::store_be16(ip + wireguard::kIpv4LengthAt, static_cast<std::uint16_t>(length));
        ip[wireguard::kIpv4ProtocolAt] = tcp ? wireguard::kTcp : wireguard::kUdp;
        wireguard::store_be32(ip + wireguard::kIpv4AddressesAt, 0xc0000201);  // 192.0.2.1, 192.0.2.2
        wireguard::store_be32(ip + wireguard::kIpv4AddressesAt + 4, 0xc0000202);
    }
    auto* const head = ip + ip_header;
    if (tcp) {
        head[wireguard::kTcpOffsetAt] = wireguard::kTcpHeader / 4 << 4;
        head[wireguard::kTcpFlagsAt] = wireguard::kTcpAck;
    } else {
        wireguard::store_be16(head + wireguard::kUdpLengthAt, static_cast<std::uint16_t>(length - ip_header));
    }
    return bytes;
}

bool takes_joined(bool tcp, const TunWriteFunction& write) {
    for (const bool v6 : {false, true}) {
        const auto probe = joined_probe(tcp, v6);
        const auto part = part_of(probe);
        if (is_refused(write({&part, 1}))) {
            say_not_joined(tcp);
            return false;
        }
    }
    return true;
}

}  // namespace

void write_packets(wireguard::Coalescer& coalescer, const TunWriteFunction& write) {
    for (const auto& joined : coalescer.finish()) {
        const auto written = write(joined.parts);
        if (joined.packets == 1 || !is_refused(written)) {
            say_what_went_wrong(written);
            continue;
        }
        write_apart(coalescer, joined, write);
        auto settings = coalescer.settings();
        bool& kind = joined.tcp ? settings.tcp : settings.udp;
        if (kind) say_not_joined(joined.tcp);
        kind = false;
        coalescer.set_settings(settings);
    }
}

wireguard::CoalesceSettings probe_joining(wireguard::CoalesceSettings wanted, const TunWriteFunction& write) {
    return {wanted.tcp && takes_joined(true, write), wanted.udp && takes_joined(false, write)};
}

}  // namespace myst::dataplane
