#include "myst/wireguard/allowed_ips.hpp"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include "myst/wireguard/inner_packet.hpp"
#include "myst/wireguard/test_support/fixtures.hpp"
#include "myst/wireguard/test_support/naive_models.hpp"

namespace myst::wireguard {
namespace {

using test::ip;
using test::prefix;

constexpr PeerId kA{1};
constexpr PeerId kB{2};
constexpr PeerId kC{3};

TEST(AllowedIps, TheLongestPrefixWins) {
    AllowedIps ips;
    ASSERT_TRUE(ips.insert(prefix("10.0.0.0/8"), kA));
    ASSERT_TRUE(ips.insert(prefix("10.1.0.0/16"), kB));
    ASSERT_TRUE(ips.insert(prefix("10.1.2.3"), kC));
    ASSERT_TRUE(ips.insert(prefix("::/0"), kA));
    ASSERT_TRUE(ips.insert(prefix("2001:db8::/33"), kB));
    EXPECT_EQ(ips.find(ip("10.2.0.0")), kA);
    EXPECT_EQ(ips.find(ip("10.1.2.2")), kB);
    EXPECT_EQ(ips.find(ip("10.1.2.3")), kC);
    EXPECT_EQ(ips.find(ip("11.0.0.0")), std::nullopt);
    EXPECT_EQ(ips.find(ip("2001:db8:7fff::")), kB);
    EXPECT_EQ(ips.find(ip("2001:db8:8000::")), kA);
}

TEST(AllowedIps, APrefixOfAnotherPeerMoves) {
    AllowedIps ips;
    ASSERT_TRUE(ips.insert(prefix("10.0.0.0/8"), kA));
    ASSERT_TRUE(ips.insert(prefix("10.9.9.9/8"), kB)) << "the same prefix, with bits behind it";
    EXPECT_EQ(ips.find(ip("10.0.0.1")), kB);
    EXPECT_TRUE(ips.prefixes_of(kA).empty());
    EXPECT_EQ(ips.prefixes_of(kB), (std::vector{prefix("10.0.0.0/8")}));
    ips.remove(prefix("10.0.0.0/8"), kA);
    EXPECT_EQ(ips.find(ip("10.0.0.1")), kB) << "not A's to take away";
    ips.remove_all(kB);
    EXPECT_EQ(ips.find(ip("10.0.0.1")), std::nullopt);
}

IpPrefix arbitrary_prefix() {
    // Few different bits, so that prefixes overlap and repeat.
    const bool v4 = *rc::gen::arbitrary<bool>();
    IpAddress address;
    address.version = v4 ? IpAddress::Version::v4 : IpAddress::Version::v6;
    for (const std::size_t at : {0U, 1U, address.bits() / 8 - 1}) {
        address.bytes[at] = *rc::gen::elementOf(std::vector<std::uint8_t>{0, 1, 0x80, 0x81, 0xff});
    }
    const auto length =
        *rc::gen::oneOf(rc::gen::inRange(0U, 18U), rc::gen::inRange(address.bits() - 9, address.bits() + 1),
                        rc::gen::inRange(0U, address.bits() + 1));
    return IpPrefix::of(address, length);
}

RC_GTEST_PROP(AllowedIps, AgreesWithAListOfAllPrefixes, ()) {
    AllowedIps ips;
    test::NaiveAllowedIps naive;
    for (auto left = *rc::gen::inRange(0, 60); left > 0; --left) {
        const auto net = arbitrary_prefix();
        const PeerId peer{*rc::gen::inRange(1U, 4U)};
        switch (*rc::gen::weightedElement<int>({{6, 0}, {3, 1}, {1, 2}})) {
            case 0:
                RC_ASSERT(ips.insert(net, peer));
                naive.insert(net, peer);
                break;
            case 1:
                ips.remove(net, peer);
                naive.remove(net, peer);
                break;
            default: ips.remove_all(peer); naive.remove_all(peer);
        }
        const auto address = arbitrary_prefix().address;
        RC_ASSERT(ips.find(address) == naive.find(address));
        RC_ASSERT(ips.find(net.address) == naive.find(net.address));
    }
    for (const auto peer : {kA, kB, kC}) RC_ASSERT(ips.prefixes_of(peer) == naive.prefixes_of(peer));
}

TEST(InnerPacket, VersionLengthAndAddressesAreRead) {
    auto packet = test::ip_packet(ip("10.0.0.1"), ip("10.0.0.2"), 10);
    packet.resize(32);  // padding
    const auto parsed = parse_inner_packet(packet);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->source, ip("10.0.0.1"));
    EXPECT_EQ(parsed->destination, ip("10.0.0.2"));
    EXPECT_EQ(parsed->length, 30U);
    const auto six = parse_inner_packet(test::ip_packet(ip("fd00::1"), ip("fd00::2"), 8));
    ASSERT_TRUE(six);
    EXPECT_EQ(six->source, ip("fd00::1"));
    EXPECT_EQ(six->length, 48U);
}

TEST(InnerPacket, OtherVersionsAndFalseLengthsAreDropped) {
    const auto four = test::ip_packet(ip("10.0.0.1"), ip("10.0.0.2"), 10);
    const auto six = test::ip_packet(ip("fd00::1"), ip("fd00::2"), 10);
    EXPECT_FALSE(parse_inner_packet({}));
    for (std::size_t size = 0; size < four.size(); ++size)
        EXPECT_FALSE(parse_inner_packet(BytesView(four).first(size)));
    for (std::size_t size = 0; size < six.size(); ++size) EXPECT_FALSE(parse_inner_packet(BytesView(six).first(size)));
    for (const unsigned version : {0U, 1U, 3U, 5U, 7U, 15U}) {
        auto other = six;
        other[0] = static_cast<std::uint8_t>(version << 4);
        EXPECT_FALSE(parse_inner_packet(other)) << version;
    }
    auto short_total = four;
    short_total[3] = 19;
    EXPECT_FALSE(parse_inner_packet(short_total));
}

}  // namespace
}  // namespace myst::wireguard
