// What the other side must not be able to do: move the user's name queries or networks, sell junk, or inherit another
// peer's connections. Needs root and a WireGuard backend; skipped visibly otherwise.
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>

#include "myst/sys/netlink.hpp"
#include "myst/vpn/netns_fixture.hpp"

namespace myst::vpn::test {
namespace {

constexpr milliseconds kRefused{700};  // long enough for a packet that would arrive
constexpr std::uint64_t kPlenty = 1ULL << 40;
constexpr const char* kNeighbour = "11.1.0.1";  // a host of client_a's own network

/// Takes everything that waits at a socket.
void drain(const sys::Fd& socket) {
    std::array<std::uint8_t, 2048> buffer{};
    while (::recv(socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT) >= 0) {
    }
}

/// Whether a datagram arrives.
bool arrives(const sys::Fd& from, const sys::Fd& server, const std::string& address) {
    drain(server);
    std::ignore = send_to(from, address, port_of(server), 100);
    return readable(server, kRefused);
}

/// Whom the next datagram is from; 0: none came.
std::uint16_t sender_port(const sys::Fd& server) {
    if (!readable(server, kPatience)) return 0;
    std::array<std::uint8_t, 2048> buffer{};
    sockaddr_in sender{};
    socklen_t length = sizeof(sender);
    ::recvfrom(server.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&sender), &length);
    return ntohs(sender.sin_port);
}

/// A datagram socket in the namespace of another socket.
sys::Fd socket_beside(const sys::Fd& other, const std::string& address) {
    sys::Fd made;
    std::thread([&] {
        const sys::Fd network(::ioctl(other.get(), SIOCGSKNS));
        if (!network.valid() || ::setns(network.get(), CLONE_NEWNET) != 0) return;
        made = udp_socket(must(sys::NetworkNamespace::current(), "namespace"), address, 0);
    }).join();
    return made;
}

TEST_F(VpnNetns, NameQueriesGoThroughTheTunnelWhateverTheProviderOffers) {
    open_exit();
    const auto no_resolvers = [](ports::TunnelOffer& offer) { offer.dns.clear(); };
    auto a = join_changed(network().client_a, "11.1.0.1", "100.64.0.2", no_resolvers);
    const auto resolvers = [&] { return text_of(a.daemon->resolv_conf()); };
    EXPECT_NE(resolvers().find("nameserver 9.9.9.9\nnameserver 1.1.1.1\n"), std::string::npos) << resolvers();
    auto [id, offer, keys] = invite(*a.daemon, "11.1.0.1", "100.64.0.9", kPlenty);
    offer.dns.clear();
    require(a.daemon->run(a.tunnel->replace(offer, std::move(keys))), "replace");
    EXPECT_NE(resolvers().find("nameserver 9.9.9.9\nnameserver 1.1.1.1\n"), std::string::npos) << resolvers();
}

TEST_F(VpnNetns, NameQueriesToTheLocalNetworkAreDropped) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    const auto from = udp_socket(network().client_a, "0.0.0.0", 0);
    const auto other = udp_socket(network().provider, kNeighbour, 54);
    EXPECT_TRUE(arrives(from, other, kNeighbour)) << "the control: local networks stay reachable";
    for (const auto port : std::array<std::uint16_t, 2>{53, 853}) {
        const auto resolver = udp_socket(network().provider, kNeighbour, port);
        EXPECT_FALSE(arrives(from, resolver, kNeighbour)) << port;
        const auto over_tcp = tcp_listener(network().provider, kNeighbour, port);
        EXPECT_FALSE(tcp_connect(network().client_a, kNeighbour, port, kRefused).valid()) << port;
    }
    const auto own = udp_socket(network().client_a, "0.0.0.0", 0);
    const std::uint32_t mark = ports::kBypassMark;
    ASSERT_EQ(::setsockopt(own.get(), SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
    const auto resolver = udp_socket(network().provider, kNeighbour, 53);
    EXPECT_TRUE(arrives(own, resolver, kNeighbour)) << "the daemon's own";
    require(a.daemon->run(a.tunnel->close()), "close");
    EXPECT_TRUE(arrives(from, resolver, kNeighbour));
}

TEST_F(VpnNetns, AnOfferedResolverTakesOnlyNameQueriesIntoTheTunnel) {
    open_exit();
    const auto neighbour = [](ports::TunnelOffer& offer) { offer.dns = {kNeighbour}; };
    auto a = join_changed(network().client_a, "11.1.0.1", "100.64.0.2", neighbour);
    const auto service = tcp_listener(network().provider, kNeighbour, 0);
    EXPECT_TRUE(tcp_connect(network().client_a, kNeighbour, port_of(service), kPatience).valid())
        << "the neighbour's other services stay where they are";
    const auto from = udp_socket(network().client_a, "0.0.0.0", 0);
    const auto before = client_counters(a);
    EXPECT_TRUE(send_to(from, kNeighbour, 53, 100));
    EXPECT_TRUE(eventually([&] { return client_counters(a).up == before.up + 128; })) << "the query is in the tunnel";
}

TEST_F(VpnNetns, InnerAddressesThatThisMachineUsesAreRefused) {
    open_exit();
    auto daemon = make_daemon(network().client_a);
    const auto connect = [&] {
        auto [id, offer, keys] = invite(*daemon, "11.1.0.1", "100.64.0.2", kPlenty);
        auto opened = daemon->run(daemon->driver().connect(offer, std::move(keys)));
        require(exit_daemon().run(exit().remove_peer(id)), "remove the peer");
        if (opened) require(daemon->run((*opened)->close()), "close");
        return opened ? std::string() : opened.error().describe();
    };
    const auto ip = [&](std::vector<std::string> words) {
        words.insert(words.begin(), "/usr/sbin/ip");
        std::ignore = output_of(network().client_a, words);
    };
    EXPECT_EQ(connect(), "") << "the control";
    for (const std::string address : {"100.64.0.1", "100.64.0.2"}) {  // the provider's, the client's
        ip({"addr", "add", address + "/32", "dev", "lo"});
        const auto before = traces(network().client_a);
        EXPECT_NE(connect().find(address + "/32"), std::string::npos);
        EXPECT_EQ(traces(network().client_a), before);
        ip({"addr", "del", address + "/32", "dev", "lo"});
    }
    ip({"route", "add", "100.64.0.0/12", "dev", "eth"});
    EXPECT_NE(connect().find("100.64.0.0/12"), std::string::npos);
    ip({"route", "del", "100.64.0.0/12", "dev", "eth"});
    ip({"route", "add", "64.0.0.0/2", "dev", "eth"});
    EXPECT_EQ(connect(), "") << "a wide route takes nothing from the tunnel, so it refuses nothing either";
}

TEST_F(VpnNetns, AReplacementThatCollidesCarriesNothing) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    std::ignore = output_of(network().client_a, {"/usr/sbin/ip", "addr", "add", "100.64.0.9/32", "dev", "lo"});
    auto [id, offer, keys] = invite(*a.daemon, "11.1.0.1", "100.64.0.9", kPlenty);
    const auto replaced = a.daemon->run(a.tunnel->replace(offer, std::move(keys)));
    ASSERT_FALSE(replaced);
    EXPECT_EQ(replaced.error().code, ErrorCode::failed_precondition);
    const auto server = udp_socket(network().site, "11.2.0.2", 0);
    EXPECT_FALSE(arrives(udp_socket(network().client_a, "0.0.0.0", 0), server, "11.2.0.2"));
}

TEST_P(VpnOfEachKind, JunkFromTheProviderIsNotOnTheConsumersMeter) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    const auto server = udp_socket(network().site, "11.2.0.2", 0);
    const auto from = udp_socket(network().client_a, "0.0.0.0", 0);
    ASSERT_TRUE(echo(from, server, "11.2.0.2", 1000));
    const auto before = client_counters(a);
    const auto arrived = [&] {
        return must(network().client_a.run([&]() -> Result<std::uint64_t> {
            auto links = sys::Netlink::open();
            if (!links) return forward_error(links);
            auto link = links->link(a.tunnel->interface_name());
            if (!link) return forward_error(link);
            auto stats = links->stats(link->index);
            if (!stats) return forward_error(stats);
            return stats->rx_bytes;
        }),
                    "interface statistics");
    };
    const auto arrived_before = arrived();
    // The exit's own filter does not look at what the exit itself sends.
    const sys::Fd listener(must(exit_daemon().call([&] { return exit().listen_inside(0); }), "listen inside"));
    const auto junk = socket_beside(listener, "0.0.0.0");
    ASSERT_TRUE(junk.valid());
    const auto spoofed = socket_beside(listener, "169.254.109.1");
    ASSERT_TRUE(spoofed.valid());
    constexpr std::uint64_t kDatagrams = 100;
    constexpr std::uint64_t kSmall = 200;  // fewer than the interface's queue holds
    for (std::uint64_t i = 0; i < kDatagrams; ++i) {
        ASSERT_TRUE(send_to(junk, "100.64.0.2", 9999, 1000));
        ASSERT_TRUE(send_to(spoofed, "100.64.0.2", static_cast<std::uint16_t>(1024 + i), 1000));
        ASSERT_TRUE(send_to(spoofed, "100.64.0.2", port_of(from), 3000)) << "in fragments";
    }
    ASSERT_TRUE(eventually([&] { return arrived() >= arrived_before + kDatagrams * 5000; })) << "the control";
    // Of one flow and as small as can be: joined, their headers would be nearly all that there is.
    const auto large_before = arrived();
    for (std::uint64_t i = 0; i < kSmall; ++i) ASSERT_TRUE(send_to(spoofed, "100.64.0.2", 9998, 1));
    ASSERT_TRUE(eventually([&] { return arrived() >= large_before + kSmall; })) << "the control";
    EXPECT_EQ(client_counters(a), before);
    ASSERT_TRUE(echo(from, server, "11.2.0.2", 1000));
    EXPECT_EQ(client_counters(a).down, before.down + 1028) << "what was asked for is counted";
}

TEST_F(VpnNetns, APeerInheritsNothingFromTheLastOneOfItsAddress) {
    open_exit();
    constexpr std::uint16_t kPort = 40123;
    const auto server = udp_socket(network().site, "11.2.0.2", 0);
    const auto at_b = udp_socket(network().client_b, "0.0.0.0", 0);
    auto b = join(network().client_b, "11.3.0.1", "100.64.0.3", kPlenty);
    EXPECT_TRUE(send_to(at_b, "11.2.0.2", port_of(server), 100));
    const auto mapped_b = sender_port(server);
    auto first = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    std::uint16_t mapped = 0;
    {
        const auto from = udp_socket(network().client_a, "0.0.0.0", kPort);
        EXPECT_TRUE(send_to(from, "11.2.0.2", port_of(server), 100));
        mapped = sender_port(server);
        EXPECT_TRUE(send_to(server, "11.2.0.1", mapped, 100));
        EXPECT_TRUE(readable(from, kPatience)) << "the control: the mapping leads to the peer";
    }
    require(first.daemon->run(first.tunnel->close()), "close");
    require(exit_daemon().run(exit().remove_peer(first.id)), "remove the peer");
    auto next = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(send_to(server, "11.2.0.1", mapped, 100));
    EXPECT_TRUE(send_to(server, "11.2.0.1", mapped_b, 100));
    EXPECT_TRUE(readable(at_b, kPatience)) << "another peer keeps its connections";
    EXPECT_EQ(exit_counters(next.id), ports::TrafficCounters{}) << "the answers of the other's connection";
    const auto from = udp_socket(network().client_a, "0.0.0.0", kPort);
    EXPECT_TRUE(send_to(from, "11.2.0.2", port_of(server), 100));
    const auto fresh = sender_port(server);
    EXPECT_NE(fresh, 0);
    EXPECT_NE(fresh, mapped) << "the same address and port, but not the same connection";
}

}  // namespace
}  // namespace myst::vpn::test
