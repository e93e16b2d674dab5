#include "myst/wireguard/offload/super_packet.hpp"

#include <functional>

#include <gtest/gtest.h>

#include "myst/wireguard/offload/ip_header.hpp"
#include "myst/wireguard/offload/test_support/inner_packets.hpp"

namespace myst::wireguard {
namespace {

using test::make_packet;
using test::PacketSpec;

VnetHeader header_of(const PacketSpec& spec, std::uint16_t gso_size) {
    const std::uint8_t tcp = spec.ipv6 ? VnetHeader::kGsoTcp6 : VnetHeader::kGsoTcp4;
    return {VnetHeader::kNeedsChecksum,
            spec.udp ? VnetHeader::kGsoUdp : tcp,
            0xdead,  // hdr_len is not to be trusted
            gso_size,
            static_cast<std::uint16_t>(spec.ip_header()),
            static_cast<std::uint16_t>(spec.udp ? 6 : 16)};
}

Bytes with_header(const VnetHeader& header, const Bytes& packet) {
    Bytes read(VnetHeader::kSize);
    header.encode(std::span(read).first<VnetHeader::kSize>());
    read.insert(read.end(), packet.begin(), packet.end());
    return read;
}

/// The packet with the sum of the pseudo-header in its checksum field, as the kernel hands it over.
Bytes unfinished(const PacketSpec& spec) {
    auto packet = make_packet(spec);
    const auto sum = test::pseudo_sum(spec, packet);
    test::put16(packet, spec.ip_header() + (spec.udp ? 6 : 16), (sum & 0xffff) + (sum >> 16));
    return packet;
}

std::vector<Bytes> split(const PacketSpec& spec, std::uint16_t gso_size) {
    const auto read = with_header(header_of(spec, gso_size), unfinished(spec));
    return test::segments_of(SuperPacket::parse(read).value());
}

std::vector<PacketSpec> every_kind() {
    std::vector<PacketSpec> kinds;
    for (const bool ipv6 : {false, true}) {
        for (const bool udp : {false, true}) {
            PacketSpec spec;
            spec.ipv6 = ipv6;
            spec.udp = udp;
            spec.payload = 3000;
            kinds.push_back(spec);
        }
    }
    return kinds;
}

/// The segment that make_packet would have made: its part of the payload, and what counts up.
Bytes expected_segment(const PacketSpec& super, std::size_t index, std::size_t gso_size, std::uint8_t flags) {
    auto spec = super;
    const auto at = index * gso_size;
    spec.payload = std::min(gso_size, super.payload - at);
    spec.id = static_cast<std::uint16_t>(super.id + index);
    spec.sequence += static_cast<std::uint32_t>(at);
    spec.flags = flags;
    auto packet = make_packet(spec);
    // The pattern of the payload depends on its place: take the super-packet's, and sum again.
    const auto whole = make_packet(super);
    const auto header = spec.ip_header() + spec.transport_header();
    std::copy_n(whole.begin() + static_cast<std::ptrdiff_t>(header + at), spec.payload,
                packet.begin() + static_cast<std::ptrdiff_t>(header));
    const auto checksum_at = spec.ip_header() + (spec.udp ? 6 : 16);
    test::put16(packet, checksum_at, 0);
    test::put16(packet, checksum_at,
                test::naive_checksum(BytesView(packet).subspan(spec.ip_header()), test::pseudo_sum(spec, packet)));
    return packet;
}

TEST(SuperPacket, EverySegmentIsWhatTheSenderWouldHaveSent) {
    for (const auto& spec : every_kind()) {
        for (const auto gso_size : std::array<std::uint16_t, 7>{7, 999, 1000, 1400, 2999, 3000, 3001}) {
            const auto segments = split(spec, gso_size);
            ASSERT_EQ(segments.size(), (spec.payload + gso_size - 1) / gso_size);
            for (std::size_t i = 0; i < segments.size(); ++i) {
                EXPECT_EQ(segments[i], expected_segment(spec, i, gso_size, 0x10)) << i;
            }
        }
    }
}

TEST(SuperPacket, FlagsOfTcp) {
    PacketSpec spec;
    spec.payload = 300;
    spec.flags = kTcpAck | kTcpPsh | kTcpFin | kTcpCwr | 0x40;  // and ECE
    auto header = header_of(spec, 100);
    header.gso_type |= VnetHeader::kEcn;
    const auto read = with_header(header, unfinished(spec));
    const auto segments = test::segments_of(SuperPacket::parse(read).value());
    ASSERT_EQ(segments.size(), 3U);
    EXPECT_EQ(segments[0], expected_segment(spec, 0, 100, kTcpAck | kTcpCwr | 0x40));
    EXPECT_EQ(segments[1], expected_segment(spec, 1, 100, kTcpAck | 0x40));
    EXPECT_EQ(segments[2], expected_segment(spec, 2, 100, kTcpAck | kTcpPsh | kTcpFin | 0x40));
}

TEST(SuperPacket, CountersWrapAround) {
    PacketSpec spec;
    spec.payload = 400;
    spec.id = 0xffff;
    spec.sequence = 0xffffff80;
    spec.tcp_options = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
    spec.ip_options = 4;
    const auto segments = split(spec, 100);
    ASSERT_EQ(segments.size(), 4U);
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(segments[i], expected_segment(spec, i, 100, 0x10));
    EXPECT_EQ(load_be16(segments[1].data() + 4), 0);
}

TEST(SuperPacket, AUdpChecksumOfZeroBecomesOnes) {
    PacketSpec spec;
    spec.udp = true;
    spec.payload = 4;
    // Two bytes of payload chosen so that the checksum comes out as 0.
    for (unsigned value = 0; value <= 0xffff; ++value) {
        auto packet = unfinished(spec);
        test::put16(packet, 28, 0);
        test::put16(packet, 30, value);
        const auto read = with_header(header_of(spec, 4), packet);
        const auto segment = test::segments_of(SuperPacket::parse(read).value()).at(0);
        ASSERT_NE(load_be16(segment.data() + 26), 0) << value;
    }
}

TEST(SuperPacket, ASinglePacketPassesUnchanged) {
    for (const auto& spec : every_kind()) {
        const auto packet = make_packet(spec);
        for (const std::uint8_t flags : {std::uint8_t{0}, VnetHeader::kDataValid}) {
            const auto read = with_header({flags}, packet);
            const auto super = SuperPacket::parse(read).value();
            EXPECT_EQ(test::segments_of(super), std::vector<Bytes>{packet});
        }
    }
}

TEST(SuperPacket, ASinglePacketGetsItsChecksum) {
    for (const auto& spec : every_kind()) {
        auto header = header_of(spec, 0);
        header.gso_type = VnetHeader::kGsoNone;
        const auto read = with_header(header, unfinished(spec));
        EXPECT_EQ(test::segments_of(SuperPacket::parse(read).value()), std::vector<Bytes>{make_packet(spec)});
    }
}

TEST(SuperPacket, ExtensionHeadersStandBeforeEverySegment) {
    PacketSpec spec;
    spec.ipv6 = true;
    spec.payload = 250;
    auto packet = unfinished(spec);
    packet.insert(packet.begin() + 40, {kTcp, 0, 1, 4, 0, 0, 0, 0});  // hop-by-hop options: padding
    packet[6] = 0;
    test::put16(packet, 4, packet.size() - 40);
    auto header = header_of(spec, 100);
    header.checksum_start = 48;
    const auto read = with_header(header, packet);
    const auto segments = test::segments_of(SuperPacket::parse(read).value());
    ASSERT_EQ(segments.size(), 3U);
    EXPECT_EQ(segments[2].size(), 48U + 20 + 50);
    auto plain = segments[2];
    plain.erase(plain.begin() + 40, plain.begin() + 48);
    plain[6] = kTcp;
    test::put16(plain, 4, plain.size() - 40);
    EXPECT_EQ(plain, expected_segment(spec, 2, 100, 0x10));
}

// What is refused.

bool refused(const VnetHeader& header, const Bytes& packet) {
    const auto read = with_header(header, packet);
    const auto super = SuperPacket::parse(read);
    return !super && super.error().code == ErrorCode::invalid_data;
}

TEST(SuperPacket, RefusesEveryWrongFieldOfTheHeader) {
    const std::vector<std::function<void(VnetHeader&)>> mistakes = {
        [](auto& header) { header.flags = 0; },
        [](auto& header) { header.flags |= 4; },
        [](auto& header) { header.flags |= 0x80; },
        [](auto& header) { header.gso_type = 2; },
        [](auto& header) { header.gso_type = 3; },
        [](auto& header) { header.gso_type = 6; },
        [](auto& header) { header.gso_type = VnetHeader::kEcn; },
        [](auto& header) { header.gso_type = VnetHeader::kGsoUdp | VnetHeader::kEcn; },
        [](auto& header) { header.gso_type = header.gso_type == VnetHeader::kGsoUdp ? 1 : VnetHeader::kGsoUdp; },
        [](auto& header) { header.gso_type = header.gso_type == 1 ? 4 : 1; },
        [](auto& header) { header.gso_size = 0; },
        [](auto& header) { header.gso_size = 2; },  // 1,500 segments
        [](auto& header) { header.checksum_start += 1; },
        [](auto& header) { header.checksum_start -= 1; },
        [](auto& header) { header.checksum_start = 0xffff; },
        [](auto& header) { header.checksum_offset += 2; },
        [](auto& header) { header.checksum_offset = 0xffff; },
    };
    for (const auto& spec : every_kind()) {
        const auto packet = unfinished(spec);
        ASSERT_FALSE(refused(header_of(spec, 1000), packet));
        for (std::size_t i = 0; i < mistakes.size(); ++i) {
            auto header = header_of(spec, 1000);
            mistakes[i](header);
            EXPECT_TRUE(refused(header, packet)) << "mistake " << i << (spec.udp ? ", UDP" : ", TCP");
        }
    }
}

TEST(SuperPacket, RefusesChecksumsOutsideASinglePacket) {
    PacketSpec spec;
    spec.payload = 0;
    const auto packet = make_packet(spec);  // 40 bytes
    const auto wants = [&](std::uint16_t start, std::uint16_t offset) {
        return refused({VnetHeader::kNeedsChecksum, 0, 0, 0, start, offset}, packet);
    };
    EXPECT_FALSE(wants(20, 16));
    EXPECT_FALSE(wants(20, 18));
    EXPECT_TRUE(wants(20, 19));
    EXPECT_TRUE(wants(19, 16));
    EXPECT_TRUE(wants(0xffff, 0xffff));
    EXPECT_TRUE(wants(40, 0));
}

TEST(SuperPacket, RefusesWrongPackets) {
    PacketSpec spec;
    spec.payload = 3000;
    const auto good = unfinished(spec);
    const auto header = header_of(spec, 1000);
    const auto broken = [&](std::size_t at, std::uint8_t value) {
        auto packet = good;
        packet.at(at) = value;
        return refused(header, packet);
    };
    EXPECT_TRUE(broken(0, 0x55));   // version
    EXPECT_TRUE(broken(0, 0x44));   // header length below 20
    EXPECT_TRUE(broken(0, 0x4f));   // 60, so csum_start is wrong
    EXPECT_TRUE(broken(2, 0));      // total length
    EXPECT_TRUE(broken(6, 0x20));   // more fragments
    EXPECT_TRUE(broken(7, 1));      // fragment offset
    EXPECT_TRUE(broken(9, kUdp));   // protocol
    EXPECT_TRUE(broken(32, 0x40));  // TCP header below 20
    auto shorter = PacketSpec(spec);
    shorter.payload = 10;
    auto packet = unfinished(shorter);
    packet[32] = 0xf0;  // TCP header of 60 bytes in a packet of 50
    EXPECT_TRUE(refused(header, packet));
    shorter.payload = 0;
    EXPECT_TRUE(refused(header, unfinished(shorter)));
}

TEST(SuperPacket, RefusesAUdpHeaderThatIsNotComplete) {
    for (const bool ipv6 : {false, true}) {
        PacketSpec spec;
        spec.ipv6 = ipv6;
        spec.udp = true;
        spec.payload = 0;
        auto packet = unfinished(spec);
        packet.resize(packet.size() - 1);
        test::put16(packet, ipv6 ? 4 : 2, ipv6 ? packet.size() - 40 : packet.size());
        EXPECT_TRUE(refused(header_of(spec, 100), packet));
    }
}

TEST(SuperPacket, RefusesWhatIsCutOff) {
    for (const auto& spec : every_kind()) {
        const auto read = with_header(header_of(spec, 1000), unfinished(spec));
        for (std::size_t size = 0; size < 120; ++size) {
            const Bytes cut(read.begin(), read.begin() + static_cast<std::ptrdiff_t>(size));
            EXPECT_FALSE(SuperPacket::parse(cut)) << size;
        }
    }
}

TEST(SuperPacket, RefusesExtensionHeadersThatLeadAstray) {
    PacketSpec spec;
    spec.ipv6 = true;
    spec.payload = 64;
    auto packet = unfinished(spec);
    packet[6] = 0;  // hop-by-hop options, which begin with what were the ports
    packet[40] = 0;
    packet[41] = 200;  // 1,608 bytes
    EXPECT_TRUE(refused(header_of(spec, 20), packet));
    packet[41] = 0;
    packet[48] = 44;  // fragment
    packet[40] = 44;
    EXPECT_TRUE(refused(header_of(spec, 20), packet));
}

}  // namespace
}  // namespace myst::wireguard
