#include "myst/wireguard/endpoint.hpp"

#include <gtest/gtest.h>

#include "myst/wireguard/test_support/fixtures.hpp"

namespace myst::wireguard {
namespace {

using test::ip;

TEST(Endpoint, TextIsStrictAndRoundTrips) {
    for (const auto* text : {"192.0.2.1:51820", "[2001:db8::1]:1", "[::ffff:192.0.2.1]:65535"}) {
        EXPECT_EQ(Endpoint::parse(text)->to_string(), text);
    }
    for (const auto* text : {"", ":1", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:-1",
                             "192.0.2.1:+1", "[192.0.2.1]:1", "2001:db8::1:1", "[::1]", "[::1]1", "[fe80::1%lo]:1",
                             "host:1", "192.0.2:1", "192.0.2.01:1", " 192.0.2.1:1"}) {
        EXPECT_FALSE(Endpoint::parse(text)) << text;
    }
}

TEST(IpPrefix, BitsBehindItAreCleared) {
    EXPECT_EQ(IpPrefix::parse("10.255.255.255/9")->to_string(), "10.128.0.0/9");
    EXPECT_EQ(IpPrefix::parse("2001:db8:ffff::1/33")->to_string(), "2001:db8:8000::/33");
    EXPECT_EQ(IpPrefix::parse("1.2.3.4")->to_string(), "1.2.3.4/32");
    EXPECT_EQ(IpPrefix::parse("255.255.255.255/0")->to_string(), "0.0.0.0/0");
    for (const auto* text : {"10.0.0.0/33", "::/129", "10.0.0.0/", "/8", "10.0.0.0/-1", "10.0.0.0/8/8", "10/8"}) {
        EXPECT_FALSE(IpPrefix::parse(text)) << text;
    }
    EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0x", 9)));
}

TEST(IpPrefix, ContainsItsAddressesOnly) {
    const auto net = IpPrefix::parse("10.128.0.0/9").value();
    EXPECT_TRUE(net.contains(ip("10.255.0.1")));
    EXPECT_FALSE(net.contains(ip("10.127.255.255")));
    EXPECT_FALSE(IpPrefix::parse("0.0.0.0/0")->contains(ip("::1")));
}

}  // namespace
}  // namespace myst::wireguard
