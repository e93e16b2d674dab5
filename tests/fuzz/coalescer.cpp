// A batch of inner packets: for each, flags, size and bytes. Flags: mend lengths and checksums; or follow the packet
// before, with another payload.
#include "myst/wireguard/offload/coalescer.hpp"
#include "fuzz/input.hpp"
#include "fuzz/target.hpp"
#include "myst/base/check.hpp"
#include "myst/wireguard/offload/checksum.hpp"
#include "myst/wireguard/offload/ip_header.hpp"
#include "myst/wireguard/offload/test_support/inner_packets.hpp"

namespace myst::fuzz {
namespace {

using namespace wireguard;

constexpr std::size_t kMaxPackets = 80;
constexpr std::size_t kMaxSize = 2000;
constexpr std::uint8_t kMend = 1;
constexpr std::uint8_t kFollow = 2;
constexpr std::uint8_t kSameId = 4;

/// Chance would hardly ever make lengths and checksums right.
void mend(Bytes& packet) {
    if (packet.size() < kIpv6Header) return;
    const auto header = is_ipv4(packet) ? ip_header_size(packet) : kIpv6Header;
    if (header < kIpv4Header || packet.size() < header + kTcpHeader) return;
    const bool udp = packet[is_ipv4(packet) ? kIpv4ProtocolAt : kIpv6NextAt] == kUdp;
    if (is_ipv4(packet)) {
        store_be16(packet.data() + kIpv4LengthAt, static_cast<std::uint16_t>(packet.size()));
        store_be16(packet.data() + kIpv4ChecksumAt, 0);
        store_checksum(packet.data() + kIpv4ChecksumAt, sum_of(BytesView(packet).first(header)));
    } else {
        store_be16(packet.data() + kIpv6LengthAt, static_cast<std::uint16_t>(packet.size() - kIpv6Header));
    }
    const auto length = packet.size() - header;
    if (udp) store_be16(packet.data() + header + kUdpLengthAt, static_cast<std::uint16_t>(length));
    auto* checksum = packet.data() + header + (udp ? kUdpChecksumAt : kTcpChecksumAt);
    store_be16(checksum, 0);
    store_udp_checksum(
        checksum, pseudo_header_sum(packet, udp ? kUdp : kTcp, length) + sum_of(BytesView(packet).subspan(header)));
}

/// The packet that comes after `before` in its flow, with this payload.
Bytes follower(const Bytes& before, BytesView payload, bool same_id) {
    const auto parsed = examine(before);
    if (parsed.header == 0) return before;
    Bytes packet(before.begin(), before.begin() + static_cast<std::ptrdiff_t>(parsed.header));
    packet.insert(packet.end(), payload.begin(), payload.end());
    auto* transport = packet.data() + parsed.ip_header;
    if (parsed.is_tcp()) {
        store_be32(transport + kTcpSequenceAt, parsed.sequence + static_cast<std::uint32_t>(parsed.payload()));
    }
    if (is_ipv4(packet) && !same_id) store_be16(packet.data() + kIpv4IdAt, static_cast<std::uint16_t>(parsed.id + 1));
    return packet;
}

void run(BytesView input) {
    Input reader(input.data(), input.size());
    std::vector<Bytes> packets;
    while (!reader.empty() && packets.size() < kMaxPackets) {
        const auto flags = reader.byte();
        const auto bytes = reader.take(reader.word() % kMaxSize);
        Bytes packet(bytes.begin(), bytes.end());
        if ((flags & kFollow) != 0 && !packets.empty())
            packet = follower(packets.back(), bytes, (flags & kSameId) != 0);
        if ((flags & kMend) != 0) mend(packet);
        packets.push_back(std::move(packet));
    }
    Coalescer coalescer(packets.size());
    for (const auto& packet : packets) CHECK(coalescer.push(packet));
    CHECK(test::stands_for(coalescer.finish(), packets));
}

}  // namespace
}  // namespace myst::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    myst::fuzz::run({data, size});
    return 0;
}
