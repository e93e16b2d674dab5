// The rule texts, and the input checks in front of them. What the kernel makes of the text is vpn_netns_test's matter.
#include <gtest/gtest.h>

#include "myst/base/ip_ranges.hpp"
#include "myst/vpn/builtin_wireguard.hpp"
#include "myst/vpn/client_meter.hpp"
#include "myst/vpn/client_rules.hpp"
#include "myst/vpn/exit_rules.hpp"
#include "myst/vpn/exit_settings.hpp"
#include "myst/vpn/offer.hpp"

namespace myst::vpn {
namespace {

Ipv4 address(const std::string& text) {
    return Ipv4::parse(text).value();
}

Ipv4Network network(const std::string& text) {
    return Ipv4Network::parse(text).value();
}

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

TEST(IpAddress, ParsesStrictly) {
    EXPECT_EQ(address("192.0.2.1").value, 0xc0000201U);
    for (const std::string text :
         {"", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "1.2.3.4 ", "0x1.2.3.4", "a.b.c.d", "16909060", "::1"}) {
        EXPECT_FALSE(Ipv4::parse(text)) << text;
    }
    EXPECT_FALSE(Ipv4::parse(std::string("1.2.3.4\0x", 9)));
    EXPECT_EQ(network("10.0.0.0/8").prefix, 8);
    EXPECT_EQ(network("10.0.0.1").prefix, 32);
    EXPECT_EQ(network("0.0.0.0/0").to_string(), "0.0.0.0/0");
    for (const std::string text : {"10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/-1", "/8", "10.0.0.0/8/8"}) {
        EXPECT_FALSE(Ipv4Network::parse(text)) << text;
    }
    EXPECT_TRUE(network("100.64.0.0/10").contains(address("100.127.255.255")));
    EXPECT_FALSE(network("100.64.0.0/10").contains(address("100.128.0.0")));
    EXPECT_TRUE(network("0.0.0.0/0").contains(address("255.255.255.255")));
}

TEST(IpAddress, HostLiteralsAreAddressesOfOtherHosts) {
    EXPECT_EQ(parse_host_literal("192.0.2.1"), "192.0.2.1");
    EXPECT_EQ(parse_host_literal("2001:DB8:0::1"), "2001:db8::1");
    for (const std::string text : {"localhost", "127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "::1",
                                   "fe80::1", "ff02::1", "::ffff:127.0.0.1", "fe80::1%eth0", "[2001:db8::1]", ""}) {
        EXPECT_FALSE(parse_host_literal(text)) << text;
    }
}

TEST(ExitRules, EverySpecialNetworkIsDenied) {
    ExitRules rules;
    rules.tunnel_link = "mystw0";
    rules.outer_link = "mystx0i";
    rules.server_address = address("100.64.0.1");
    rules.denied = {network("11.9.9.0/24")};
    rules.allowed = {network("10.1.0.0/16")};
    rules.own_addresses = {address("11.2.0.1")};
    const auto text = exit_table(rules);
    for (const auto& special : kSpecialIpv4Ranges) {
        const Ipv4Network denied{.address = {special.first}, .prefix = special.prefix};
        EXPECT_TRUE(has(text, denied.to_string())) << denied.to_string();
    }
    for (const char* part :
         {"168.63.129.16/32", "11.9.9.0/24", "10.1.0.0/16", "11.2.0.1", "policy drop", "meta nfproto != ipv4 drop"}) {
        EXPECT_TRUE(has(text, part)) << part;
    }
    // Order decides: own addresses and mail before exceptions, exceptions before denials, the gate before the counter.
    const std::vector<std::string> order{
        "ip saddr != @peers drop", "ip daddr @own drop", "tcp dport 25 drop", "ip daddr @allowed goto up_gate",
        "ip daddr @denied drop",   "map @quota_of",      "map @up_of accept"};
    std::size_t position = 0;
    for (const auto& part : order) {
        const auto found = text.find(part, position);
        ASSERT_NE(found, std::string::npos) << part;
        position = found;
    }
}

TEST(ExitRules, WhatADeviceMetersTheFilterOnlyAdmits) {
    ExitRules rules;
    rules.metered = false;
    const auto text = exit_table(rules);
    for (const char* part : {"quota", "counter", "map "}) EXPECT_FALSE(has(text, part)) << part;
    for (const char* part : {"ip saddr != @peers drop", "ip daddr != @peers drop", "ip daddr @denied drop",
                             "ct state new add @flow_count", "ct state != { established, related } drop"}) {
        EXPECT_TRUE(has(text, part)) << part;
    }
    EXPECT_EQ(admit_rules(address("100.64.0.2")), "add element inet myst_exit peers { 100.64.0.2 }\n");
    EXPECT_EQ(dismiss_rules(address("100.64.0.2")), "delete element inet myst_exit peers { 100.64.0.2 }\n");
}

TEST(ClientMeter, CountsOverAllProviders) {
    ClientMeter meter;
    EXPECT_EQ(meter.read().sent, 0U);
    for (int provider = 0; provider < 3; ++provider) {
        const auto of_device = make_meter(address("100.64.0.1"), false);
        meter.follow(of_device);
        of_device->count_sent({1, 100});
        of_device->count_joined(7);
    }
    EXPECT_EQ(meter.read().sent, 300U);
    EXPECT_EQ(meter.read().joined, 21U);
}

TEST(ClientMeter, HeadersOfWhatTheFilterMayHaveRefusedAreNotPaid) {
    EXPECT_EQ(headers_to_pay(10'000, {.packets = 7, .bytes = 0}, {.packets = 7, .bytes = 0}), 10'000U);
    EXPECT_EQ(headers_to_pay(10'000, {.packets = 8, .bytes = 0}, {.packets = 7, .bytes = 0}), 10'000U - 63 * 80);
    EXPECT_EQ(headers_to_pay(10'000, {.packets = 9, .bytes = 0}, {.packets = 7, .bytes = 0}), 0U);
    EXPECT_EQ(headers_to_pay(63 * 80, {.packets = 1, .bytes = 0}, {.packets = 0, .bytes = 0}), 0U)
        << "the most that one refused packet can stand for";
}

TEST(ExitRules, FlowsOfAllPeersAreBoundedByHalfOfTheHostsConnectionTable) {
    EXPECT_EQ(max_flows("65536"), 32'768U);
    EXPECT_EQ(max_flows("262144"), 131'072U);
    EXPECT_EQ(max_flows("1"), 1U);
    EXPECT_EQ(max_flows("99999999999"), 4'294'967'295U);
    for (const char* unknown : {"", "0", "-1", "many"}) EXPECT_EQ(max_flows(unknown), 32'768U) << unknown;
    ExitRules rules;
    rules.max_flows = 12'345;
    const auto text = exit_table(rules);
    const auto of_one_peer = text.find("ct state new add @flow_count { ip saddr ct count over 2000 } drop");
    const auto of_all = text.find("ct state new ct count over 12345 drop");
    ASSERT_NE(of_one_peer, std::string::npos);
    ASSERT_NE(of_all, std::string::npos);
    EXPECT_LT(of_one_peer, of_all) << "what one peer may not open does not count for all";
    EXPECT_LT(of_all, text.find("map @quota_of"));
}

TEST(SpecialRanges, HoldWhatIsNoHostOfTheInternet) {
    for (const char* inside :
         {"0.1.2.3",       "10.0.0.1",        "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1",
          "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255",  "192.0.0.192",     "192.0.2.1",
          "192.88.99.1",   "192.168.1.1",     "198.18.0.1", "198.19.255.255",  "198.51.100.1",    "203.0.113.1",
          "224.0.0.1",     "239.255.255.255", "240.0.0.1",  "255.255.255.255"}) {
        EXPECT_TRUE(is_special_ipv4(address(inside).value)) << inside;
    }
    for (const char* outside :
         {"1.1.1.1", "11.0.0.1", "100.63.255.255", "100.128.0.1", "168.63.129.15", "168.63.129.17", "172.32.0.1",
          "192.0.1.1", "192.169.0.1", "198.17.255.255", "198.20.0.1", "223.255.255.255"}) {
        EXPECT_FALSE(is_special_ipv4(address(outside).value)) << outside;
    }
    EXPECT_TRUE(kTunnelRange.contains(address("100.64.0.0").value));
    EXPECT_TRUE(kTunnelRange.contains(address("100.127.255.255").value));
    EXPECT_FALSE(kTunnelRange.contains(address("100.128.0.0").value));
}

TEST(ExitRules, PeersHaveObjectsOfTheirOwn) {
    SessionId id;
    id.bytes.fill(0xab);
    const std::string hex(32, 'x');
    const auto added = add_meter_rules(id, address("100.64.0.2"));
    EXPECT_TRUE(has(added, "add quota inet myst_exit " + quota_name(id) + " { over 0 bytes }")) << "closed at first";
    for (const auto& name : {up_counter(id), down_counter(id), dropped_counter(id)}) {
        EXPECT_TRUE(has(added, "add counter inet myst_exit " + name + "\n"));
        EXPECT_TRUE(has(remove_meter_rules(id, address("100.64.0.2")), "delete counter inet myst_exit " + name + "\n"));
        const auto parsed = parse_counter_name(name);
        ASSERT_TRUE(parsed);
        EXPECT_EQ(parsed->id, id);
        EXPECT_EQ(parsed->kind, name[0]);
    }
    for (const auto& name : {std::string(), std::string("u"), "u" + hex, up_counter(id) + "0"}) {
        EXPECT_FALSE(parse_counter_name(name)) << name;
    }
}

TEST(ExitRules, TranslatedPortsNeverEqualTheListenPort) {
    NatRules rules{.table = "myst_nat0", .inner_link = "mystx0", .pool = network("100.64.0.0/16")};
    rules.listen_port = 51820;
    EXPECT_TRUE(has(nat_table(rules), "masquerade to :1024-32767 fully-random"));
    rules.listen_port = 1194;
    EXPECT_TRUE(has(nat_table(rules), "masquerade to :32768-65535 fully-random"));
}

TEST(ExitRules, TheHostForwardsNoMoreThanItDidBefore) {
    NatRules rules{.table = "myst_nat0", .inner_link = "mystx0", .pool = network("100.64.0.0/16")};
    const std::string others = "iifname != \"mystx0\" oifname != \"mystx0\" drop";
    EXPECT_FALSE(has(nat_table(rules), others));
    rules.forwarding_was_off = true;
    EXPECT_TRUE(has(nat_table(rules), others));
    EXPECT_FALSE(has(nat_table(rules), "oifname != \"up\""));
    rules.uplink = "up";
    EXPECT_TRUE(has(nat_table(rules), "iifname \"mystx0\" oifname != \"up\" drop"));
    EXPECT_TRUE(has(nat_table(rules), "iifname \"mystx0\" drop")) << "the host's own services";
}

TEST(ClientRules, WallsOfTheClient) {
    const auto text = client_table({.table = "myst_client0", .link = "myst0", .mark = 7});
    for (const char* part :
         {"ct state { new, invalid } drop", "ct mark 7 meta mark set ct mark",
          "iifname != \"myst0\" ip daddr @client fib saddr type != local drop", "oifname { \"myst0\", \"lo\" } accept",
          "meta mark != 7 meta l4proto { tcp, udp } th dport { 53, 853 } drop"}) {
        EXPECT_TRUE(has(text, part)) << part;
    }
    EXPECT_LT(text.find("ct state { new, invalid } drop"), text.find("counter name \"accepted_down\""))
        << "what is dropped is not counted";
    const auto addresses = client_addresses("myst_client0", address("100.64.0.2"), address("100.64.0.1"));
    EXPECT_TRUE(has(addresses, "add element inet myst_client0 client { 100.64.0.2 }"));
    EXPECT_TRUE(has(addresses, "flush set inet myst_client0 server"));
}

ports::TunnelOffer good_offer() {
    ports::TunnelOffer offer;
    offer.server_key.bytes.fill(1);
    offer.endpoint_host = "11.0.0.1";
    offer.endpoint_port = 51820;
    offer.client_address = "100.64.0.2";
    offer.server_address = "100.64.0.1";
    offer.dns = {"9.9.9.9"};
    return offer;
}

TEST(Offer, HostileFieldsAreRefused) {
    ASSERT_TRUE(check_offer(good_offer()));
    const auto refused = [](auto change) {
        auto offer = good_offer();
        change(offer);
        const auto checked = check_offer(offer);
        return !checked && checked.error().code == ErrorCode::invalid_argument;
    };
    EXPECT_TRUE(refused([](auto& o) { o.server_key = {}; }));
    EXPECT_TRUE(refused([](auto& o) { o.endpoint_host = "provider.example"; }));
    EXPECT_TRUE(refused([](auto& o) { o.endpoint_host = "127.0.0.1"; }));
    EXPECT_TRUE(refused([](auto& o) { o.endpoint_port = 0; }));
    for (const char* host : {"127.0.0.1", "192.168.1.5", "10.0.0.1", "11.0.0.9", "100.63.255.255", "100.128.0.0"}) {
        EXPECT_TRUE(refused([host](auto& o) { o.client_address = host; })) << host;
        EXPECT_TRUE(refused([host](auto& o) { o.server_address = host; })) << host;
    }
    EXPECT_TRUE(refused([](auto& o) { o.endpoint_host = o.client_address; }));
    EXPECT_TRUE(refused([](auto& o) { o.endpoint_host = o.server_address; }));
    EXPECT_TRUE(refused([](auto& o) { o.client_address = "100.64.0.2/8"; }));
    EXPECT_TRUE(refused([](auto& o) {
        o.client_address =
            "100.64.0.2\n"
            "drop";
    }));
    EXPECT_TRUE(refused([](auto& o) { o.server_address = o.client_address; }));
    EXPECT_TRUE(refused([](auto& o) { o.dns = {"9.9.9.9\nsearch evil"}; }));
    for (const char* host : {"127.0.0.1", "192.168.1.1", "10.0.0.1", "100.64.0.3", "169.254.169.254", "0.0.0.0"}) {
        EXPECT_TRUE(refused([host](auto& o) { o.dns = {"9.9.9.9", host}; })) << host;
    }
    EXPECT_FALSE(refused([](auto& o) { o.dns = {o.server_address}; })) << "the provider's own resolver";
    EXPECT_TRUE(refused([](auto& o) { o.mtu = 1279; }));
    EXPECT_TRUE(refused([](auto& o) { o.mtu = 9001; }));
    auto many = good_offer();
    many.dns.assign(100, "9.9.9.9");
    EXPECT_EQ(check_offer(many)->dns.size(), 3U);
}

TEST(ExitSettings, AreChecked) {
    const auto good = check_exit({});
    ASSERT_TRUE(good) << good.error().describe();
    EXPECT_EQ(good->server_address.to_string(), "100.64.0.1");
    for (const char* pool : {"100.64.0.0/31", "0.0.0.0/0", "100.64.0.1/16", "100.0.0.0/9", "10.0.0.0/16", "pool", ""}) {
        ports::ExitSettings settings;
        settings.pool = pool;
        EXPECT_FALSE(check_exit(settings)) << pool;
    }
    ports::ExitSettings settings;
    settings.deny = {"10.0.0.0/8; drop"};
    EXPECT_FALSE(check_exit(settings));
    settings.deny = {};
    settings.allow = {"example.org"};
    EXPECT_FALSE(check_exit(settings));
}

}  // namespace
}  // namespace myst::vpn
