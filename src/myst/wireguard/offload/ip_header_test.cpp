#include "myst/wireguard/offload/ip_header.hpp"

#include <gtest/gtest.h>

#include "myst/wireguard/offload/test_support/inner_packets.hpp"

namespace myst::wireguard {
namespace {

using test::make_packet;

/// An IPv6 packet of TCP behind extension headers, of which each says what comes next and how many units more it has.
Bytes with_extensions(const std::vector<std::pair<std::uint8_t, std::uint8_t>>& extensions, std::uint8_t first) {
    auto packet = make_packet({.ipv6 = true});
    packet[kIpv6NextAt] = first;
    auto at = packet.begin() + kIpv6Header;
    for (const auto& [next, units] : extensions) {
        at = packet.insert(at, {next, units, 0, 0, 0, 0, 0, 0}) + 8;
    }
    test::put16(packet, kIpv6LengthAt, packet.size() - kIpv6Header);
    return packet;
}

TEST(IpHeader, APacketHasTheLengthThatItSays) {
    for (const bool ipv6 : {false, true}) {
        auto packet = make_packet({.ipv6 = ipv6});
        EXPECT_TRUE(is_ip(packet));
        packet.push_back(0);
        EXPECT_FALSE(is_ip(packet));
        packet.resize(packet.size() - 2);
        EXPECT_FALSE(is_ip(packet));
    }
}

TEST(IpHeader, ShorterThanItsHeaderIsNoPacket) {
    EXPECT_FALSE(is_ip({}));
    Bytes ipv4(20);
    ipv4[0] = 0x46;  // 24 bytes
    ipv4[3] = 20;
    EXPECT_FALSE(is_ip(ipv4));
    ipv4[0] = 0x45;
    EXPECT_TRUE(is_ip(ipv4));
    ipv4[0] = 0x44;
    EXPECT_FALSE(is_ip(ipv4));
    Bytes ipv6(39);
    ipv6[0] = 0x60;
    EXPECT_FALSE(is_ip(ipv6));
    ipv6.push_back(0);
    EXPECT_TRUE(is_ip(ipv6));
}

TEST(IpHeader, TransportBehindOptions) {
    const auto found = find_transport(make_packet({.ip_options = 8}));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->at, 28U);
    EXPECT_EQ(found->protocol, kTcp);
}

TEST(IpHeader, TransportBehindExtensionHeaders) {
    const auto found = find_transport(with_extensions({{43, 0}, {60, 0}, {kTcp, 0}}, 0));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->at, 64U);
    EXPECT_EQ(found->protocol, kTcp);
}

TEST(IpHeader, FragmentsHaveNoTransport) {
    EXPECT_FALSE(find_transport(make_packet({.fragment = 0x2000})));
    EXPECT_FALSE(find_transport(make_packet({.fragment = 1})));
    EXPECT_FALSE(find_transport(with_extensions({{kTcp, 0}}, 44)));
    EXPECT_FALSE(find_transport(with_extensions({{44, 0}, {kTcp, 0}}, 0)));
}

TEST(IpHeader, ExtensionHeadersMustEndWithinThePacket) {
    const auto packet = with_extensions({{kTcp, 15}}, 0);  // 128 bytes, as many as follow
    ASSERT_EQ(packet.size(), kIpv6Header + 128);
    EXPECT_TRUE(find_transport(packet));
    EXPECT_FALSE(find_transport(with_extensions({{kTcp, 16}}, 0)));
    EXPECT_FALSE(find_transport(with_extensions({{0, 15}}, 0)));
    EXPECT_FALSE(find_transport(with_extensions({{0, 255}}, 60)));
}

TEST(IpHeader, TcpHeaderIsCompleteOrNothing) {
    Bytes tcp(24);
    tcp[kTcpOffsetAt] = 0x60;
    EXPECT_EQ(tcp_header_size(tcp), 24U);
    tcp[kTcpOffsetAt] = 0x70;
    EXPECT_FALSE(tcp_header_size(tcp));
    tcp[kTcpOffsetAt] = 0x40;
    EXPECT_FALSE(tcp_header_size(tcp));
    tcp[kTcpOffsetAt] = 0x50;
    EXPECT_EQ(tcp_header_size(tcp), 20U);
    EXPECT_FALSE(tcp_header_size(BytesView(tcp).first(19)));
}

}  // namespace
}  // namespace myst::wireguard
