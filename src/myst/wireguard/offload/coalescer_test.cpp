// The cases follow those of the kernel's own test of GRO (data, ack, flags, tcp, ip, large).
#include "myst/wireguard/offload/coalescer.hpp"

#include <functional>

#include <gtest/gtest.h>

#include "myst/wireguard/offload/ip_header.hpp"
#include "myst/wireguard/offload/test_support/inner_packets.hpp"

namespace myst::wireguard {
namespace {

using test::make_packet;
using test::PacketSpec;
using Counts = std::vector<std::size_t>;
using Change = std::function<void(PacketSpec&)>;

/// How many packets each write joins, after checking that the writes stand for the packets.
Counts counts_of(const std::vector<Bytes>& packets, CoalesceSettings settings = {}) {
    Coalescer coalescer(packets.size(), settings);
    for (const auto& packet : packets) EXPECT_TRUE(coalescer.push(packet));
    Counts counts;
    const auto writes = coalescer.finish();
    for (const auto& write : writes) counts.push_back(write.packets);
    EXPECT_TRUE(test::stands_for(writes, packets));
    return counts;
}

/// Packets of one flow that follow each other, with a change to the one at `at`.
std::vector<Bytes> flow(PacketSpec spec, const std::vector<std::size_t>& payloads, std::size_t at = 0,
                        const Change& change = {}) {
    std::vector<Bytes> packets;
    for (std::size_t i = 0; i < payloads.size(); ++i) {
        spec.payload = payloads[i];
        auto sent = spec;
        if (change && i == at) change(sent);
        packets.push_back(make_packet(sent));
        spec.sequence += static_cast<std::uint32_t>(payloads[i]);
        ++spec.id;
    }
    return packets;
}

std::vector<PacketSpec> every_kind() {
    std::vector<PacketSpec> kinds;
    for (const bool ipv6 : {false, true}) {
        for (const bool udp : {false, true}) {
            PacketSpec spec;
            spec.ipv6 = ipv6;
            spec.udp = udp;
            kinds.push_back(spec);
        }
    }
    return kinds;
}

/// Of each kind: three packets of which the second is changed; whether it may join the first.
void expect_alone(const Change& change, const std::function<bool(const PacketSpec&)>& concerns = {}) {
    for (const auto& spec : every_kind()) {
        if (concerns && !concerns(spec)) continue;
        const auto counts = counts_of(flow(spec, {100, 100, 100}, 1, change));
        EXPECT_GT(counts.size(), 1U) << (spec.ipv6 ? "IPv6" : "IPv4") << (spec.udp ? " UDP" : " TCP");
        EXPECT_EQ(counts.at(0), 1U);
    }
}

bool tcp(const PacketSpec& spec) {
    return !spec.udp;
}
bool udp(const PacketSpec& spec) {
    return spec.udp;
}
bool ipv4(const PacketSpec& spec) {
    return !spec.ipv6;
}

// Data.

TEST(Coalescer, EqualPayloadsAndAShorterLast) {
    for (const auto& spec : every_kind()) {
        EXPECT_EQ(counts_of(flow(spec, {100})), Counts{1});
        EXPECT_EQ(counts_of(flow(spec, {100, 100})), Counts{2});
        EXPECT_EQ(counts_of(flow(spec, {100, 100, 1})), Counts{3});
        EXPECT_EQ(counts_of(flow(spec, {100, 50, 50})), (Counts{2, 1}));
        EXPECT_EQ(counts_of(flow(spec, {50, 100, 100})), (Counts{1, 2}));
        EXPECT_EQ(counts_of(flow(spec, {1380, 1380, 1380, 7, 1380})), (Counts{4, 1}));
    }
}

TEST(Coalescer, PayloadsStayWhereTheyAre) {
    const auto packets = flow({}, {100, 100, 60});
    Coalescer coalescer(3);
    for (const auto& packet : packets) ASSERT_TRUE(coalescer.push(packet));
    const auto writes = coalescer.finish();
    ASSERT_EQ(writes.size(), 1U);
    ASSERT_EQ(writes[0].parts.size(), 4U);
    EXPECT_EQ(writes[0].parts[0].iov_len, 10U + 40);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(writes[0].parts[i + 1].iov_base, packets[i].data() + 40);
}

TEST(Coalescer, HeaderOfAJoinedItem) {
    for (const auto& spec : every_kind()) {
        const auto packets = flow(spec, {100, 100, 60});
        Coalescer coalescer(3);
        for (const auto& packet : packets) ASSERT_TRUE(coalescer.push(packet));
        const auto bytes = test::joined(coalescer.finish()[0]);
        const auto transport = spec.udp ? 8U : 20U;
        const VnetHeader expected{
            VnetHeader::kNeedsChecksum,
            spec.udp ? VnetHeader::kGsoUdp : (spec.ipv6 ? VnetHeader::kGsoTcp6 : VnetHeader::kGsoTcp4),
            static_cast<std::uint16_t>(spec.ip_header() + transport),
            100,
            static_cast<std::uint16_t>(spec.ip_header()),
            static_cast<std::uint16_t>(spec.udp ? 6 : 16)};
        EXPECT_EQ(VnetHeader::decode(BytesView(bytes).first<VnetHeader::kSize>()), expected);
        // What the kernel finds there must be the sum of the pseudo-header of the whole.
        const Bytes super(bytes.begin() + 10, bytes.end());
        const auto sum = test::pseudo_sum(spec, super);
        EXPECT_EQ(load_be16(super.data() + expected.checksum_start + expected.checksum_offset),
                  (sum & 0xffff) + (sum >> 16));
        if (!spec.ipv6) {
            EXPECT_EQ(test::naive_checksum(BytesView(super).first(20)), 0);
        }
    }
}

TEST(Coalescer, EveryWriteHasAHeaderOfItsOwn) {
    auto packets = flow({}, {100, 100});
    PacketSpec other;
    other.host = 2;
    other.wrong_checksum = true;
    packets.push_back(make_packet(other));
    other.wrong_checksum = false;
    other.host = 3;
    packets.push_back(make_packet(other));
    Coalescer coalescer(8);
    for (int round = 0; round < 2; ++round) {  // the second time over what the first one left
        for (const auto& packet : packets) ASSERT_TRUE(coalescer.push(packet));
        const auto writes = coalescer.finish();
        ASSERT_EQ(writes.size(), 3U);
        const auto header = [&](std::size_t i) {
            return VnetHeader::decode(BytesView(test::joined(writes[i])).first<VnetHeader::kSize>());
        };
        EXPECT_EQ(header(0).gso_type, VnetHeader::kGsoTcp4);
        EXPECT_EQ(header(1), VnetHeader{});
        EXPECT_EQ(header(2), VnetHeader{VnetHeader::kDataValid});
        coalescer.clear();
    }
}

TEST(Coalescer, PureAcknowledgementsAndEmptyDatagramsAreNotJoined) {
    for (const auto& spec : every_kind()) EXPECT_EQ(counts_of(flow(spec, {0, 0, 0})), (Counts{1, 1, 1}));
    EXPECT_EQ(counts_of(flow({}, {100, 0, 100})), (Counts{1, 1, 1}));
}

// Flags.

TEST(Coalescer, PshAndFinEndAnItem) {
    for (const std::uint8_t last : {kTcpPsh, kTcpFin}) {
        const Change change = [&](auto& spec) { spec.flags |= last; };
        EXPECT_EQ(counts_of(flow({}, {100, 100, 100, 100}, 1, change)), (Counts{2, 2}));
        EXPECT_EQ(counts_of(flow({}, {100, 100, 100}, 0, change)), (Counts{1, 2}));
        EXPECT_EQ(counts_of(flow({}, {100, 100, 100}, 2, change)), Counts{3});
    }
}

TEST(Coalescer, OtherFlagsStandAlone) {
    for (const std::uint8_t flag : {kTcpSyn, kTcpRst, kTcpUrg, kTcpCwr}) {
        const Change change = [&](auto& spec) { spec.flags |= flag; };
        EXPECT_EQ(counts_of(flow({}, {100, 100, 100, 100, 100}, 2, change)), (Counts{2, 1, 2}));
        EXPECT_EQ(counts_of(flow({}, {100, 100, 100}, 0, change)), (Counts{1, 2}));
    }
    EXPECT_EQ(counts_of(flow({}, {100, 100, 100}, 1, [](auto& spec) { spec.flags = 0; })), (Counts{1, 1, 1}));
}

TEST(Coalescer, EceMustBeEqual) {
    PacketSpec spec;
    spec.flags |= 0x40;
    EXPECT_EQ(counts_of(flow(spec, {100, 100})), Counts{2});
    expect_alone([](auto& changed) { changed.flags |= 0x40; }, tcp);
}

// TCP.

TEST(Coalescer, TcpFieldsMustBeEqual) {
    expect_alone([](auto& spec) { ++spec.acknowledgement; }, tcp);
    expect_alone([](auto& spec) { ++spec.window; }, tcp);
    expect_alone([](auto& spec) { spec.tcp_options = {1, 1, 1, 1}; }, tcp);
    PacketSpec stamped;
    stamped.tcp_options = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
    EXPECT_EQ(counts_of(flow(stamped, {100, 100, 100})), Counts{3});
    EXPECT_EQ(counts_of(flow(stamped, {100, 100, 100}, 1, [](auto& spec) { spec.tcp_options[7] = 9; })),
              (Counts{1, 1, 1}));
}

TEST(Coalescer, SequenceNumbersMustFollow) {
    expect_alone([](auto& spec) { ++spec.sequence; }, tcp);
    expect_alone([](auto& spec) { --spec.sequence; }, tcp);
    expect_alone([](auto& spec) { spec.sequence -= 100; }, tcp);  // sent twice
    PacketSpec wrapping;
    wrapping.sequence = 0xffffffff - 50;
    EXPECT_EQ(counts_of(flow(wrapping, {100, 100, 100})), Counts{3});
}

// IP.

TEST(Coalescer, IpFieldsMustBeEqual) {
    expect_alone([](auto& spec) { ++spec.ttl; });
    expect_alone([](auto& spec) { spec.tos = 3; });  // congestion experienced
    expect_alone([](auto& spec) { spec.tos = 0x20; });
    expect_alone([](auto& spec) { spec.df = false; }, ipv4);
    expect_alone([](auto& spec) { spec.fragment = 0x8000; }, ipv4);
}

TEST(Coalescer, OptionsAndFragmentsAreNotJoined) {
    PacketSpec spec;
    spec.ip_options = 4;
    EXPECT_EQ(counts_of(flow(spec, {100, 100})), (Counts{1, 1}));
    for (const std::uint16_t fragment : std::array<std::uint16_t, 3>{0x2000, 0x2001, 0x0001}) {
        for (const bool is_udp : {false, true}) {
            PacketSpec piece;
            piece.udp = is_udp;
            piece.df = false;
            piece.fragment = fragment;
            EXPECT_EQ(counts_of(flow(piece, {104, 104})), (Counts{1, 1}));
        }
    }
}

TEST(Coalescer, Ipv6ExtensionHeadersAreNotJoined) {
    std::vector<Bytes> packets;
    for (auto& packet : flow({.ipv6 = true, .udp = true}, {100, 100})) {
        packet.insert(packet.begin() + 40, {kUdp, 0, 1, 4, 0, 0, 0, 0});
        packet[6] = 60;
        test::put16(packet, 4, packet.size() - 40);
        packets.push_back(packet);
    }
    EXPECT_EQ(counts_of(packets), (Counts{1, 1}));
}

Counts with_ids(bool df, const std::vector<std::uint16_t>& ids) {
    std::vector<Bytes> packets;
    PacketSpec spec;
    spec.df = df;
    for (const auto id : ids) {
        spec.id = id;
        packets.push_back(make_packet(spec));
        spec.sequence += 100;
    }
    return counts_of(packets);
}

TEST(Coalescer, IdentificationsCountUpOrWithDfStayTheSame) {
    EXPECT_EQ(with_ids(true, {10, 11, 12}), Counts{3});
    EXPECT_EQ(with_ids(false, {10, 11, 12}), Counts{3});
    EXPECT_EQ(with_ids(false, {0xffff, 0, 1}), Counts{3});
    EXPECT_EQ(with_ids(true, {10, 10, 10}), Counts{3});
    EXPECT_EQ(with_ids(false, {10, 10, 10}), (Counts{1, 1, 1}));
    EXPECT_EQ(with_ids(true, {10, 11, 11}), (Counts{2, 1}));
    EXPECT_EQ(with_ids(true, {10, 10, 11}), (Counts{2, 1}));
    EXPECT_EQ(with_ids(true, {10, 12, 14}), (Counts{1, 1, 1}));
}

// Checksums.

TEST(Coalescer, ABrokenPacketIsNotJoined) {
    expect_alone([](auto& spec) { spec.wrong_checksum = true; });
    for (const auto& spec : every_kind()) {
        auto packets = flow(spec, {100, 100, 100});
        packets[0].back() ^= 1;
        EXPECT_EQ(counts_of(packets), (Counts{1, 2}));
    }
    auto packets = flow({}, {100, 100, 100});
    packets[1][10] ^= 1;  // the header's own checksum
    EXPECT_EQ(counts_of(packets), (Counts{1, 1, 1}));
}

TEST(Coalescer, UdpWithoutChecksumIsNotJoined) {
    expect_alone([](auto& spec) { spec.no_udp_checksum = true; }, udp);
}

TEST(Coalescer, UdpOfAnotherLengthThanIpIsNotJoined) {
    expect_alone([](auto& spec) { spec.missing_udp_length = 4; }, udp);
}

// Order and bounds.

TEST(Coalescer, FlowsAreKeptApartAndJoinedAcrossEachOther) {
    for (const auto& spec : every_kind()) {
        const auto a = flow(spec, {100, 100, 100});
        for (const Change& change : std::vector<Change>{
                 [](auto& other) { other.host = 2; }, [](auto& other) { other.port = 1001; },
                 [](auto& other) { other.udp = !other.udp; }, [](auto& other) { other.ipv6 = !other.ipv6; }}) {
            auto other = spec;
            change(other);
            const auto b = flow(other, {100, 100, 100});
            EXPECT_EQ(counts_of({a[0], b[0], a[1], b[1], a[2], b[2]}), (Counts{3, 3}));
        }
    }
}

TEST(Coalescer, APacketWhoseFlowCannotBeToldIsNotOvertaken) {
    const auto packets = flow({}, {100, 100, 100, 100});
    PacketSpec spec;
    spec.df = false;
    spec.fragment = 0x2000;
    const auto fragment = make_packet(spec);
    EXPECT_EQ(counts_of({packets[0], packets[1], fragment, packets[2], packets[3]}), (Counts{2, 1, 2}));
    spec.host = 7;  // somebody else's
    const auto foreign = make_packet(spec);
    EXPECT_EQ(counts_of({packets[0], packets[1], foreign, packets[2], packets[3]}), (Counts{4, 1}));
}

TEST(Coalescer, WhatIsNoIpPacketIsPassedOn) {
    EXPECT_EQ(counts_of({{}, {0}, Bytes(100, 0xff), Bytes(40, 0x45), Bytes(40, 0x60)}), (Counts{1, 1, 1, 1, 1}));
}

TEST(Coalescer, AnItemHoldsAtMost64PacketsAnd65535Bytes) {
    for (const auto& spec : every_kind()) {
        EXPECT_EQ(counts_of(flow(spec, std::vector<std::size_t>(70, 100))), (Counts{64, 6}));
        const auto counts = counts_of(flow(spec, std::vector<std::size_t>(50, 1448)));
        EXPECT_EQ(counts, (Counts{45, 5}));
    }
    // To the byte: 40 + 45 · 1,455 is 65,515; 20 more fit, 21 do not.
    std::vector<std::size_t> payloads(45, 1455);
    payloads.push_back(20);
    EXPECT_EQ(counts_of(flow({}, payloads)), Counts{46});
    payloads.back() = 21;
    EXPECT_EQ(counts_of(flow({}, payloads)), (Counts{45, 1}));
}

/// Two rounds of one packet from each of so many hosts.
Counts two_rounds_of(std::uint8_t hosts) {
    std::vector<Bytes> packets;
    for (int round = 0; round < 2; ++round) {
        for (std::uint8_t host = 0; host < hosts; ++host) {
            PacketSpec spec;
            spec.host = host;
            spec.id = static_cast<std::uint16_t>(round);
            spec.sequence += static_cast<std::uint32_t>(100 * round);
            packets.push_back(make_packet(spec));
        }
    }
    return counts_of(packets);
}

TEST(Coalescer, MoreFlowsThanItLooksAfter) {
    EXPECT_EQ(two_rounds_of(32), Counts(32, 2));
    EXPECT_EQ(two_rounds_of(33), Counts(66, 1));  // each flow was given up just before its second packet
}

TEST(Coalescer, KindsCanBeSwitchedOff) {
    for (const auto& spec : every_kind()) {
        const auto packets = flow(spec, {100, 100});
        EXPECT_EQ(counts_of(packets, {.tcp = spec.udp, .udp = !spec.udp}), (Counts{1, 1}));
        EXPECT_EQ(counts_of(packets, {.tcp = !spec.udp, .udp = spec.udp}), Counts{2});
    }
}

TEST(Coalescer, SaysWhenItIsFullAndGoesOnAfterClear) {
    const auto packets = flow({}, {100, 100, 100});
    Coalescer coalescer(2);
    EXPECT_TRUE(coalescer.finish().empty());
    coalescer.clear();
    EXPECT_TRUE(coalescer.push(packets[0]));
    EXPECT_TRUE(coalescer.push(packets[1]));
    EXPECT_FALSE(coalescer.push(packets[2]));
    EXPECT_EQ(coalescer.finish().size(), 1U);
    coalescer.clear();
    EXPECT_TRUE(coalescer.push(packets[2]));
    EXPECT_EQ(coalescer.finish()[0].packets, 1U);
}

}  // namespace
}  // namespace myst::wireguard
