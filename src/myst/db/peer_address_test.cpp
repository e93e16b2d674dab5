#include "myst/db/peer_address.hpp"

#include <gtest/gtest.h>

namespace myst::db {
namespace {

asio::ip::address ip(const char* text) {
    return asio::ip::make_address(text);
}

std::string group_of_url(const char* text) {
    return group_of(RelayUrl::parse(text).value());
}

TEST(PeerAddress, OnlyOrdinaryHostsOfTheInternetArePublic) {
    for (const char* text :
         {"1.1.1.1", "11.0.0.3", "93.184.215.14", "2a00:1450::1", "2001:4860:4860::8888", "2606:4700::1111"}) {
        EXPECT_TRUE(is_public_address(ip(text))) << text;
        EXPECT_TRUE(may_connect(ip(text), AddressScope::public_only)) << text;
    }
    for (const char* text : {"0.0.0.0",
                             "127.0.0.1",
                             "127.9.9.9",
                             "10.1.2.3",
                             "172.16.0.1",
                             "192.168.1.1",
                             "169.254.169.254",
                             "100.64.0.1",
                             "100.100.100.200",
                             "168.63.129.16",
                             "192.0.2.1",
                             "224.0.0.1",
                             "255.255.255.255",
                             "::",
                             "::1",
                             "::7f00:1",
                             "::ffff:93.184.215.14",
                             "::ffff:127.0.0.1",
                             "::ffff:10.0.0.1",
                             "::ffff:169.254.169.254",
                             "64:ff9b::a00:1",
                             "fe80::1",
                             "fc00::1",
                             "fd00:ec2::254",
                             "ff02::1",
                             "2001:db8::1",
                             "2001::1",
                             "2001:2::1",
                             "2001:10::1",
                             "2002:a00:1::1",
                             "3fff::1"}) {
        EXPECT_FALSE(is_public_address(ip(text))) << text;
        EXPECT_FALSE(may_connect(ip(text), AddressScope::public_only)) << text;
    }
}

TEST(PeerAddress, ATestNetworkMayUsePrivateOnes) {
    EXPECT_TRUE(may_connect(ip("127.0.0.1"), AddressScope::any));
    EXPECT_TRUE(may_connect(ip("fd00::1"), AddressScope::any));
    for (const char* text : {"0.0.0.0", "::", "::ffff:0.0.0.0", "224.0.0.1", "ff02::1"}) {
        EXPECT_FALSE(may_connect(ip(text), AddressScope::any)) << text;
    }
}

TEST(PeerAddress, PortsOfOtherServicesAreNotForRelays) {
    for (const int port : {80, 443, 1024, 7777, 65535}) EXPECT_TRUE(may_connect(static_cast<std::uint16_t>(port)));
    for (const int port : {0, 22, 25, 53, 79, 587, 1023}) EXPECT_FALSE(may_connect(static_cast<std::uint16_t>(port)));
}

TEST(PeerAddress, AGroupIsANetwork) {
    EXPECT_EQ(group_of(ip("93.184.215.14"), 1), "93.184.0.0/16");
    EXPECT_EQ(group_of(ip("2a00:1450:4001:1::5"), 3), "2a00:1450::/32");
    EXPECT_EQ(group_of(ip("127.0.0.1"), 7777), "127.0.0.1:7777");
    EXPECT_EQ(group_of_url("ws://93.184.7.7:7777"), "93.184.0.0/16");
    EXPECT_EQ(group_of_url("wss://[2a00:1450::1]/x"), "2a00:1450::/32");
    EXPECT_EQ(group_of_url("wss://relay.example.org"), "example.org");
    EXPECT_EQ(group_of_url("wss://a.b.c.example.org:8443"), "example.org");
    EXPECT_EQ(group_of_url("wss://example.org"), "example.org");
    EXPECT_EQ(group_of_url("ws://localhost"), "localhost");
}

}  // namespace
}  // namespace myst::db
