#include "myst/wireguard/offload/unreachable.hpp"

#include <gtest/gtest.h>

#include "myst/wireguard/offload/test_support/inner_packets.hpp"

namespace myst::wireguard {
namespace {

using test::make_packet;
using test::naive_checksum;
using test::PacketSpec;
using test::put16;

PacketSpec spec_of(bool v6, std::size_t payload) {
    PacketSpec spec;
    spec.ipv6 = v6;
    spec.udp = true;
    spec.payload = payload;
    return spec;
}

TEST(Unreachable, SaysSoToTheSenderInIpv4) {
    for (const std::size_t payload : {0U, 1U, 500U, 1'400U}) {
        const auto packet = make_packet(spec_of(false, payload));
        const auto answer = make_unreachable(packet);
        ASSERT_TRUE(answer);
        ASSERT_TRUE(is_ip(*answer));
        EXPECT_EQ(answer->size(), std::min<std::size_t>(576, 28 + packet.size()));
        EXPECT_EQ(Bytes(answer->begin() + 12, answer->begin() + 16), Bytes(packet.begin() + 16, packet.begin() + 20));
        EXPECT_EQ(Bytes(answer->begin() + 16, answer->begin() + 20), Bytes(packet.begin() + 12, packet.begin() + 16));
        EXPECT_EQ((*answer)[9], 1) << "ICMP";
        EXPECT_EQ(Bytes(answer->begin() + 20, answer->begin() + 22), (Bytes{3, 1}));
        EXPECT_TRUE(std::equal(answer->begin() + 28, answer->end(), packet.begin()));
        EXPECT_EQ(naive_checksum(BytesView(*answer).first(20)), 0);
        EXPECT_EQ(naive_checksum(BytesView(*answer).subspan(20)), 0);
    }
}

TEST(Unreachable, SaysSoToTheSenderInIpv6) {
    for (const std::size_t payload : {0U, 1U, 500U, 1'400U}) {
        const auto packet = make_packet(spec_of(true, payload));
        const auto answer = make_unreachable(packet);
        ASSERT_TRUE(answer);
        ASSERT_TRUE(is_ip(*answer));
        EXPECT_EQ(answer->size(), std::min<std::size_t>(1'280, 48 + packet.size()));
        EXPECT_EQ(Bytes(answer->begin() + 8, answer->begin() + 24), Bytes(packet.begin() + 24, packet.begin() + 40));
        EXPECT_EQ(Bytes(answer->begin() + 24, answer->begin() + 40), Bytes(packet.begin() + 8, packet.begin() + 24));
        EXPECT_EQ((*answer)[6], 58) << "ICMPv6";
        EXPECT_EQ(Bytes(answer->begin() + 40, answer->begin() + 42), (Bytes{1, 3}));
        EXPECT_TRUE(std::equal(answer->begin() + 48, answer->end(), packet.begin()));
        Bytes summed(answer->begin() + 8, answer->begin() + 40);  // addresses, then length and protocol
        summed.resize(40);
        put16(summed, 34, answer->size() - 40);
        summed[39] = 58;
        summed.insert(summed.end(), answer->begin() + 40, answer->end());
        EXPECT_EQ(naive_checksum(summed), 0);
    }
}

Bytes with(Bytes packet, std::size_t at, std::uint8_t value) {
    packet[at] = value;
    return packet;
}

bool refused(const Bytes& packet) {
    return !make_unreachable(packet);
}

TEST(Unreachable, WhatIsNoPacketGetsNoAnswer) {
    EXPECT_TRUE(refused({}));
    EXPECT_TRUE(refused(Bytes(40)));
    for (const bool v6 : {false, true}) {
        auto cut_off = make_packet(spec_of(v6, 10));
        cut_off.pop_back();
        EXPECT_TRUE(refused(cut_off));
    }
}

TEST(Unreachable, SomeGetNoAnswerInIpv4) {
    const auto packet = make_packet(spec_of(false, 10));
    EXPECT_TRUE(refused(with(packet, 16, 224))) << "to many";
    EXPECT_TRUE(refused(with(packet, 16, 255))) << "to all";
    EXPECT_TRUE(refused(with(packet, 12, 224))) << "from many";
    EXPECT_TRUE(refused(with(packet, 12, 0))) << "from nobody";
    EXPECT_TRUE(refused(with(packet, 12, 127))) << "from within";
    EXPECT_TRUE(refused(with(packet, 7, 1))) << "a later fragment";
    EXPECT_FALSE(refused(with(packet, 6, 0x20))) << "a first fragment";
    const auto icmp = with(packet, 9, 1);
    for (const auto error : Bytes{3, 4, 5, 11, 12}) EXPECT_TRUE(refused(with(icmp, 20, error))) << +error;
    EXPECT_FALSE(refused(with(icmp, 20, 8))) << "an echo request";
}

TEST(Unreachable, SomeGetNoAnswerInIpv6) {
    const auto packet = make_packet(spec_of(true, 10));
    EXPECT_TRUE(refused(with(packet, 24, 0xff))) << "to many";
    EXPECT_TRUE(refused(with(packet, 8, 0xff))) << "from many";
    EXPECT_TRUE(refused(with(packet, 6, 44))) << "a fragment";
    EXPECT_TRUE(refused(with(with(packet, 6, 0), 41, 255))) << "options that are cut off";
    auto from_nobody = packet;
    std::fill(from_nobody.begin() + 8, from_nobody.begin() + 24, std::uint8_t{0});
    EXPECT_TRUE(refused(from_nobody));
    const auto icmp = with(packet, 6, 58);
    for (const auto error : Bytes{1, 2, 3, 4, 127, 137}) EXPECT_TRUE(refused(with(icmp, 40, error))) << +error;
    EXPECT_FALSE(refused(with(icmp, 40, 128))) << "an echo request";
}

TEST(Unreachable, AnswersGetNoAnswer) {
    for (const bool v6 : {false, true}) EXPECT_TRUE(refused(make_unreachable(make_packet(spec_of(v6, 10))).value()));
}

TEST(Refusals, AreFewPerSecond) {
    Refusals refusals;
    const auto packet = make_packet(spec_of(false, 10));
    const auto nobodys = with(packet, 12, 0);
    MonotonicTime now(std::chrono::hours(1));
    const auto count = [&] {
        int answers = 0;
        for (int i = 0; i < 1'000; ++i) {
            EXPECT_FALSE(refusals.answer(nobodys, now)) << "and costs nothing";
            if (refusals.answer(packet, now)) ++answers;
        }
        return answers;
    };
    EXPECT_EQ(count(), 50);
    now += milliseconds(100);
    EXPECT_EQ(count(), 10);
    now += std::chrono::hours(1);
    EXPECT_EQ(count(), 50);
}

}  // namespace
}  // namespace myst::wireguard
