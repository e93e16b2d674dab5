#include "myst/wireguard/offload/checksum.hpp"

#include <random>

#include <gtest/gtest.h>

#include "myst/wireguard/offload/test_support/inner_packets.hpp"

namespace myst::wireguard {
namespace {

std::uint16_t checksum(ChecksumSum sum) {
    std::array<std::uint8_t, 2> bytes{};
    store_checksum(bytes.data(), sum);
    return static_cast<std::uint16_t>(bytes[0] << 8 | bytes[1]);
}

/// 0 and 0xffff are the same number.
std::uint16_t canonical(std::uint16_t value) {
    return value == 0xffff ? 0 : value;
}

TEST(Checksum, EqualsTheNaiveOneForEveryLength) {
    std::mt19937_64 random(1);
    for (std::size_t length = 0; length <= 1500; ++length) {
        Bytes bytes(length);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        EXPECT_EQ(canonical(checksum(sum_of(bytes))), canonical(test::naive_checksum(bytes))) << length;
    }
}

TEST(Checksum, EveryWayToSumComesToTheSame) {
    std::mt19937_64 random(2);
    for (std::size_t length = 0; length <= 1500; ++length) {
        Bytes bytes(length);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        const auto expected = canonical(test::naive_checksum(bytes));
        for (const auto sum : sums_by_every_way(bytes)) EXPECT_EQ(canonical(checksum(sum)), expected) << length;
    }
}

TEST(Checksum, CopiesWhatItSumsAndNothingElse) {
    std::mt19937_64 random(3);
    for (std::size_t length = 0; length <= 300; ++length) {
        Bytes bytes(length);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        Bytes copy(length + 1, 0x5a);
        EXPECT_EQ(folded(copy_and_sum(bytes, copy.data())), folded(sum_of(bytes)));
        EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), copy.begin())) << length;
        EXPECT_EQ(copy.back(), 0x5a) << length;
    }
}

TEST(Checksum, CarriesOfTheLargestPacketAreNotLost) {
    const Bytes ones(65'535, 0xff);
    EXPECT_EQ(canonical(checksum(sum_of(ones))), canonical(test::naive_checksum(ones)));
    EXPECT_EQ(canonical(checksum(sum_of(ones) + sum_of(ones) + sum_of_word(0xfffe))),
              canonical(test::naive_checksum(Bytes{0xff, 0xfe, 0xff, 0x00, 0xff, 0x00})));
}

/// RFC 1071, section 3.
TEST(Checksum, TheExampleOfTheRfc) {
    const Bytes bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(checksum(sum_of(bytes)), static_cast<std::uint16_t>(~0xddf2));
}

TEST(Checksum, PartsOfEvenLengthAddUp) {
    Bytes bytes(301);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 37);
    const BytesView all(bytes);
    for (std::size_t cut = 0; cut < bytes.size(); cut += 2) {
        EXPECT_EQ(folded(sum_of(all.first(cut)) + sum_of(all.subspan(cut))), folded(sum_of(all)));
    }
}

TEST(Checksum, UdpNeverStoresZero) {
    std::array<std::uint8_t, 2> bytes{};
    store_udp_checksum(bytes.data(), sum_of(Bytes{0xff, 0xff}));
    EXPECT_EQ(bytes, (std::array<std::uint8_t, 2>{0xff, 0xff}));
}

TEST(Checksum, PseudoHeadersOfBothVersions) {
    for (const bool ipv6 : {false, true}) {
        for (const bool udp : {false, true}) {
            test::PacketSpec spec;
            spec.ipv6 = ipv6;
            spec.udp = udp;
            auto packet = test::make_packet(spec);
            const auto transport = BytesView(packet).subspan(spec.ip_header());
            const auto sum = [&] {
                return pseudo_header_sum(packet, udp ? 17 : 6, transport.size()) + sum_of(transport);
            };
            EXPECT_TRUE(is_intact(sum()));
            packet.back() ^= 1;
            EXPECT_FALSE(is_intact(sum()));
        }
    }
}

}  // namespace
}  // namespace myst::wireguard
