// Two real tunnels between network namespaces: traffic, metering, gate, walls, and what is left afterwards.
// Needs root and a WireGuard backend; skipped visibly otherwise.
#include <sys/socket.h>

#include <array>

#include "myst/vpn/netns_fixture.hpp"

namespace myst::vpn::test {
namespace {

constexpr milliseconds kRefused{700};  // long enough for a connection that would work
constexpr std::uint64_t kPlenty = 1ULL << 40;

TEST_P(VpnOfEachKind, TrafficFlowsAndBothMetersAgreeToTheByte) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    const auto server = udp_socket(network().site, "11.2.0.2", 0);
    const auto from = udp_socket(network().client_a, "0.0.0.0", 0);
    constexpr std::uint64_t kDatagrams = 200;
    for (std::uint64_t i = 0; i < kDatagrams; ++i) ASSERT_TRUE(echo(from, server, "11.2.0.2", 1000)) << i;
    const ports::TrafficCounters expected{.up = kDatagrams * 1028, .down = kDatagrams * 1028};
    EXPECT_EQ(client_counters(a), expected);
    EXPECT_EQ(exit_counters(a.id), expected);
    const auto age = a.daemon->run(a.tunnel->handshake_age());
    ASSERT_TRUE(age && *age) << "a handshake has taken place";
    EXPECT_LE((*age)->count(), 60);
}

TEST_P(VpnOfEachKind, MetersAgreeOnATcpTransfer) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    constexpr std::size_t kSize = 5'000'000;
    // A small window: no queue on the way overflows, so nothing is lost between the two meters.
    ASSERT_EQ(download(network().client_a, kSize, 64 * 1024), kSize);
    EXPECT_TRUE(eventually([&] { return client_counters(a) == exit_counters(a.id); }))
        << client_counters(a).down << " at the client, " << exit_counters(a.id).down << " at the exit";
    EXPECT_GT(exit_counters(a.id).down, kSize);
    EXPECT_LT(exit_counters(a.id).down, kSize + kSize / 10);
}

TEST_P(VpnOfEachKind, TheGateHoldsAtLineRateAndOpensAgain) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", 0);
    Flood flood(network().client_a, network().site);
    std::uint64_t allowance = 0;
    for (int step = 0; step < 20; ++step) {
        allowance += 300'000;
        require(exit_daemon().run(exit().set_allowance(a.id, allowance)), "allowance");
        const auto used_up = [&] {
            const auto used = exit_counters(a.id).total();
            EXPECT_LE(used, allowance);
            return used + kMtu > allowance;
        };
        ASSERT_TRUE(eventually(used_up)) << "step " << step << ": " << exit_counters(a.id).total() << " of "
                                         << allowance;
    }
    for (int i = 0; i < 200; ++i) ASSERT_LE(exit_counters(a.id).total(), allowance);
    EXPECT_LE(flood.received(), allowance) << "the client got more than was paid for";
}

TEST_P(VpnOfEachKind, TcpStopsAtTheAllowanceAndGoesOnAfterwards) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", 2'000'000);
    Download transfer(network().client_a, network().site, 6'000'000, 0);
    ASSERT_TRUE(eventually([&] { return exit_counters(a.id).total() + kMtu > 2'000'000; }));
    EXPECT_LE(exit_counters(a.id).total(), 2'000'000U);
    EXPECT_LT(transfer.received(), 2'000'000U);
    require(exit_daemon().run(exit().set_allowance(a.id, kPlenty)), "allowance");
    EXPECT_EQ(transfer.finish(), 6'000'000U);
}

TEST_P(VpnOfEachKind, LoweringTheAllowanceClosesTheGate) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    const auto server = udp_socket(network().site, "11.2.0.2", 0);
    const auto from = udp_socket(network().client_a, "0.0.0.0", 0);
    ASSERT_TRUE(echo(from, server, "11.2.0.2", 1000));
    require(exit_daemon().run(exit().set_allowance(a.id, 0)), "allowance");
    send_to(from, "11.2.0.2", port_of(server), 1000);
    EXPECT_FALSE(readable(server, kRefused));
    EXPECT_EQ(exit_counters(a.id).total(), 2 * 1028U) << "what the gate refused is not counted";
}

TEST_F(VpnNetns, DeniedDestinationsAreOutOfReach) {
    ports::ExitSettings settings;
    settings.deny = {"11.9.9.0/24"};
    open_exit(settings);
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    const auto web = tcp_listener(network().site, "0.0.0.0", 80);
    const auto mail = tcp_listener(network().site, "0.0.0.0", 25);
    const auto reaches = [&](const char* address, std::uint16_t port) {
        return tcp_connect(network().client_a, address, port, kRefused).valid();
    };
    EXPECT_TRUE(reaches("11.2.0.2", 80)) << "the control: the site is there";
    EXPECT_FALSE(reaches("10.9.9.9", 80)) << "private network";
    EXPECT_FALSE(reaches("169.254.169.254", 80)) << "cloud metadata";
    EXPECT_FALSE(reaches("11.9.9.9", 80)) << "the operator's own deny list";
    EXPECT_FALSE(reaches("11.2.0.2", 25)) << "mail";
}

TEST_F(VpnNetns, AnAllowedExceptionIsReachable) {
    ports::ExitSettings settings;
    settings.allow = {"10.9.9.9/32"};
    open_exit(settings);
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    const auto web = tcp_listener(network().site, "0.0.0.0", 80);
    EXPECT_TRUE(tcp_connect(network().client_a, "10.9.9.9", 80, kPatience).valid());
    EXPECT_FALSE(tcp_connect(network().client_a, "169.254.169.254", 80, kRefused).valid());
}

TEST_F(VpnNetns, TheProvidersOwnServicesAreOutOfReach) {
    ports::ExitSettings settings;
    settings.allow = {"11.0.0.0/8", "169.254.0.0/16"};  // not even with an exception
    open_exit(settings);
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    const auto service = tcp_listener(network().provider, "0.0.0.0", 0);
    const auto reaches = [&](const sys::NetworkNamespace& machine, const char* address) {
        return tcp_connect(machine, address, port_of(service), kRefused).valid();
    };
    EXPECT_TRUE(reaches(network().site, "11.2.0.1")) << "the control: the service is there";
    for (const char* address : {"11.2.0.1", "11.3.0.1", "169.254.109.0", "100.64.0.1"}) {
        EXPECT_FALSE(reaches(network().client_a, address)) << address;
    }
}

TEST_F(VpnNetns, SpoofedSourcesAndOtherPeersAreOutOfReach) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    auto b = join(network().client_b, "11.3.0.1", "100.64.0.3", kPlenty);
    const auto server = udp_socket(network().site, "11.2.0.2", 0);
    const auto at_b = udp_socket(network().client_b, "0.0.0.0", 0);
    ASSERT_TRUE(echo(at_b, server, "11.2.0.2", 100)) << "the control: b works";
    const auto before = exit_counters(b.id);
    const auto arrived_before = client_counters(b);
    std::ignore = output_of(network().client_a, {"/usr/sbin/ip", "addr", "add", "100.64.0.3/32", "dev", "lo"});
    const auto spoofed = udp_socket(network().client_a, "100.64.0.3", 0);
    const auto honest = udp_socket(network().client_a, "100.64.0.2", 0);
    EXPECT_TRUE(send_to(spoofed, "11.2.0.2", port_of(server), 77));
    std::ignore = output_of(network().client_a, {"/usr/sbin/ip", "addr", "del", "100.64.0.3/32", "dev", "lo"});
    EXPECT_TRUE(send_to(honest, "100.64.0.3", port_of(at_b), 88));
    EXPECT_TRUE(echo(honest, server, "11.2.0.2", 99)) << "the first packet at the site must be the honest one";
    EXPECT_FALSE(readable(server, milliseconds(100)));
    EXPECT_FALSE(readable(at_b, milliseconds(100)));
    EXPECT_EQ(exit_counters(b.id), before);
    EXPECT_EQ(client_counters(b), arrived_before) << "not even b's own filter had to drop it";
}

TEST_F(VpnNetns, NobodyConnectsToAClientThroughTheTunnel) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    const auto server = udp_socket(network().site, "11.2.0.2", 0);
    const auto from = udp_socket(network().client_a, "0.0.0.0", 0);
    ASSERT_TRUE(echo(from, server, "11.2.0.2", 100));
    const auto service = tcp_listener(network().client_a, "0.0.0.0", 0);
    const auto before = client_counters(a);
    std::ignore = output_of(network().site, {"/usr/sbin/ip", "route", "add", "100.64.0.0/16", "via", "11.2.0.1"});
    EXPECT_FALSE(tcp_connect(network().site, "100.64.0.2", port_of(service), kRefused).valid());
    EXPECT_EQ(client_counters(a), before) << "the provider keeps it away, the client's filter is the second wall";
    // The weak host model: the tunnel's address seen from the client's own LAN.
    std::ignore = output_of(network().provider, {"/usr/sbin/ip", "route", "add", "100.64.0.2/32", "via", "11.1.0.2"});
    EXPECT_FALSE(tcp_connect(network().provider, "100.64.0.2", port_of(service), kRefused).valid());
    EXPECT_TRUE(tcp_connect(network().provider, "11.1.0.2", port_of(service), kPatience).valid()) << "the control";
}

TEST_P(VpnOfEachKind, ThePaymentPortIsOpenWhileTheGateIsClosed) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", 0);
    const sys::Fd listener(must(exit_daemon().call([&] { return exit().listen_inside(0); }), "listen inside"));
    auto paying = tcp_connect(network().client_a, "100.64.0.1", port_of(listener), kPatience);
    ASSERT_TRUE(paying.valid());
    const auto accepted = tcp_accept(listener);
    ASSERT_TRUE(accepted.valid());
    ASSERT_EQ(::send(accepted.get(), "receipt", 7, 0), 7);
    EXPECT_TRUE(readable(paying, kPatience));
    EXPECT_FALSE(
        tcp_connect(network().client_a, "100.64.0.1", static_cast<std::uint16_t>(port_of(listener) ^ 1), kRefused)
            .valid());
    const auto server = udp_socket(network().site, "11.2.0.2", 0);
    const auto from = udp_socket(network().client_a, "0.0.0.0", 0);
    EXPECT_EQ(client_counters(a).total(), 0U) << "payment frames are nobody's traffic";
    EXPECT_TRUE(send_to(from, "11.2.0.2", port_of(server), 100));
    EXPECT_FALSE(readable(server, kRefused));
    EXPECT_EQ(exit_counters(a.id).total(), 0U);
}

TEST_F(VpnNetns, NewConnectionsOfOnePeerToTheProviderAreLimited) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", 0);
    auto b = join(network().client_b, "11.3.0.1", "100.64.0.3", 0);
    const sys::Fd listener(must(exit_daemon().call([&] { return exit().listen_inside(0); }), "listen inside"));
    const auto pay = [&](const sys::NetworkNamespace& machine, milliseconds patience) {
        return tcp_connect(machine, "100.64.0.1", port_of(listener), patience);
    };
    int connected = 0;
    while (connected < 1'000 && pay(network().client_a, kRefused).valid()) {  // each is closed at once
        ASSERT_TRUE(tcp_accept(listener).valid());
        ++connected;
    }
    EXPECT_GE(connected, 40) << "as many as a session needs are fine";
    EXPECT_LE(connected, 65) << "what is closed counts until it is forgotten";
    EXPECT_TRUE(pay(network().client_b, kPatience).valid()) << "another peer is not affected";
}

TEST_F(VpnNetns, NewFlowsOfOnePeerAreLimited) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    auto b = join(network().client_b, "11.3.0.1", "100.64.0.3", kPlenty);
    const auto server = udp_socket(network().site, "11.2.0.2", 0);
    const auto at_a = udp_socket(network().client_a, "0.0.0.0", 0);
    ASSERT_TRUE(echo(at_a, server, "11.2.0.2", 100));
    constexpr int kFlows = 800;
    const auto start = std::chrono::steady_clock::now();
    int arrived = 0;
    const auto take = [&] {  // at once: the site's own buffer must not be what limits
        std::array<std::uint8_t, 256> buffer{};
        while (::recv(server.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) ++arrived;
    };
    for (int flow = 0; flow < kFlows; ++flow) {
        const auto socket = udp_socket(network().client_a, "0.0.0.0", 0);
        ASSERT_TRUE(send_to(socket, "11.2.0.2", port_of(server), 100));
        take();
    }
    while (readable(server, kRefused)) take();
    const auto elapsed = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start).count();
    EXPECT_GE(arrived, 200) << "a burst is fine";
    EXPECT_LE(arrived, 252 + 50 * elapsed / 1000);
    EXPECT_LT(arrived, kFlows);
    ASSERT_TRUE(echo(at_a, server, "11.2.0.2", 100)) << "an existing flow goes on";
    const auto at_b = udp_socket(network().client_b, "0.0.0.0", 0);
    EXPECT_TRUE(echo(at_b, server, "11.2.0.2", 100)) << "another peer is not affected";
}

TEST_P(VpnOfEachKind, ReplaceKeepsTheInterfaceAndTheMeter) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    const auto server = udp_socket(network().site, "11.2.0.2", 0);
    {
        const auto from = udp_socket(network().client_a, "0.0.0.0", 0);
        ASSERT_TRUE(echo(from, server, "11.2.0.2", 1000));
    }
    const auto before = client_counters(a);
    auto [id, offer, keys] = invite(*a.daemon, "11.1.0.1", "100.64.0.9", kPlenty);
    offer.dns = {"11.2.0.77"};
    require(a.daemon->run(a.tunnel->replace(offer, std::move(keys))), "replace");
    EXPECT_GE(client_counters(a), before);
    const auto from = udp_socket(network().client_a, "0.0.0.0", 0);
    ASSERT_TRUE(echo(from, server, "11.2.0.2", 500));
    EXPECT_EQ(exit_counters(id).total(), 2 * 528U);
    EXPECT_EQ(client_counters(a).total(), before.total() + 2 * 528U);
    EXPECT_NE(text_of(a.daemon->resolv_conf()).find("nameserver 11.2.0.77"), std::string::npos);
    offer.mtu = 1;
    EXPECT_FALSE(a.daemon->run(a.tunnel->replace(offer, a.daemon->driver().make_keys())));
    EXPECT_TRUE(send_to(from, "11.2.0.2", port_of(server), 100));
    EXPECT_FALSE(readable(server, kRefused)) << "a failed replacement carries nothing";
}

INSTANTIATE_TEST_SUITE_P(Vpn, VpnOfEachKind, ::testing::Values(WireguardKind::builtin, WireguardKind::program),
                         kind_name);

}  // namespace
}  // namespace myst::vpn::test
