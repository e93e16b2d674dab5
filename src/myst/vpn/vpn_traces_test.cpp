// What tunnels leave on the machine: nothing after close, nothing after SIGKILL and remove_stale; and no leak between.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "myst/base/test_support/temporary_directory.hpp"
#include "myst/sys/netlink.hpp"
#include "myst/vpn/netns_fixture.hpp"

namespace myst::vpn::test {
namespace {

constexpr std::uint64_t kPlenty = 1ULL << 40;
constexpr const char* kOriginal = "# mine\nnameserver 11.2.0.2\n";

std::size_t files_in(const std::string& directory) {
    std::error_code error;
    const auto begin = std::filesystem::directory_iterator(directory, error);
    return error ? 0 : static_cast<std::size_t>(std::distance(begin, {}));
}

TEST_P(VpnOfEachKind, CloseRemovesEveryTrace) {
    const auto provider_before = traces(network().provider);
    const auto client_before = traces(network().client_a);
    open_exit();
    auto daemon = make_daemon(network().client_a);
    put_text(daemon->resolv_conf(), kOriginal);
    auto a = join(std::move(daemon), "11.1.0.1", "100.64.0.2", kPlenty);
    EXPECT_NE(traces(network().provider), provider_before);
    EXPECT_NE(traces(network().client_a), client_before);
    EXPECT_NE(text_of(a.daemon->resolv_conf()), kOriginal);
    const auto name = a.tunnel->interface_name();
    require(a.daemon->run(a.tunnel->close()), "close the client");
    require(exit_daemon().run(exit().close()), "close the exit");
    EXPECT_EQ(traces(network().client_a), client_before);
    EXPECT_EQ(traces(network().provider), provider_before);
    EXPECT_EQ(text_of(a.daemon->resolv_conf()), kOriginal);
    EXPECT_FALSE(std::filesystem::exists("/var/run/wireguard/" + name + ".sock"));
    EXPECT_EQ(files_in(a.state), 0U);
    EXPECT_FALSE(a.daemon->call([&] { return a.tunnel->counters(); })) << "closed";
    EXPECT_FALSE(exit_daemon().run(exit().set_allowance(a.id, 1))) << "closed";
}

TEST_P(VpnOfEachKind, NothingLeavesInClearWhenTheInterfaceVanishes) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    const auto server = udp_socket(network().site, "11.2.0.2", 0);
    const auto from = udp_socket(network().client_a, "0.0.0.0", 0);
    ASSERT_TRUE(echo(from, server, "11.2.0.2", 100));
    require(network().client_a.run([&]() -> Result<> {
        auto links = sys::Netlink::open();
        if (!links) return forward_error(links);
        return links->delete_link(a.tunnel->interface_name());
    }),
            "delete the interface");
    EXPECT_FALSE(send_to(from, "11.2.0.2", port_of(server), 100)) << "no route rather than the open internet";
    EXPECT_FALSE(readable(server, milliseconds(200)));
    EXPECT_FALSE(tcp_connect(network().client_a, "11.1.0.1", 9, milliseconds(200)).valid());
    EXPECT_TRUE(eventually([&] { return !a.daemon->call([&] { return a.tunnel->counters(); }); }))
        << "whoever meters the session learns that it has ended";
    require(a.daemon->run(a.tunnel->close()), "close");
    EXPECT_TRUE(send_to(from, "11.2.0.2", port_of(server), 100));
}

TEST_F(VpnNetns, WideRoutesFromTheLocalNetworkDoNotPullTrafficOut) {
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    std::ignore = output_of(network().client_a, {"/usr/sbin/ip", "route", "add", "0.0.0.0/1", "via", "11.1.0.1"});
    const auto server = udp_socket(network().site, "11.2.0.2", 0);
    const auto from = udp_socket(network().client_a, "0.0.0.0", 0);
    ASSERT_TRUE(echo(from, server, "11.2.0.2", 100));
    EXPECT_EQ(exit_counters(a.id).total(), 2 * 128U) << "through the tunnel";
}

TEST_F(VpnNetns, Ipv6IsUnreachableWhileConnected) {
    if (!std::filesystem::exists("/proc/sys/net/ipv6")) GTEST_SKIP() << "no IPv6 in this kernel";
    std::ignore = output_of(network().client_a, {"/usr/sbin/ip", "-6", "route", "add", "default", "dev", "eth"});
    const auto route = [&] {
        return output_of(network().client_a, {"/bin/sh", "-c", "ip -6 route get 2001:db8::1 2>&1 || true"});
    };
    ASSERT_NE(route().find("dev eth"), std::string::npos) << "the control: reachable before";
    open_exit();
    auto a = join(network().client_a, "11.1.0.1", "100.64.0.2", kPlenty);
    EXPECT_EQ(route().find("dev eth"), std::string::npos) << route();
    require(a.daemon->run(a.tunnel->close()), "close");
    EXPECT_NE(route().find("dev eth"), std::string::npos);
}

// The program that gets killed: this test binary again, in the namespace of the machine it runs on.
TEST(DISABLED_VpnVictim, OpensATunnelAndWaits) {
    const char* state = std::getenv("MYST_VPN_VICTIM_STATE");
    const char* role = std::getenv("MYST_VPN_VICTIM_ROLE");
    const char* kind = std::getenv("MYST_VPN_VICTIM_KIND");
    ASSERT_TRUE(state != nullptr && role != nullptr) << "only for RemoveStaleCleansUpAfterSigkill";
    Daemon daemon(
        must(sys::NetworkNamespace::current(), "namespace"), state,
        std::string_view(kind != nullptr ? kind : "") == "Program" ? WireguardKind::program : WireguardKind::builtin);
    std::unique_ptr<ports::ExitTunnel> exit;
    std::unique_ptr<ports::ClientTunnel> client;
    if (std::string_view(role) == "exit") {
        ports::ExitSettings settings;
        settings.listen_port = 0;
        exit = must(daemon.run(daemon.driver().open_exit(settings)), "open");
        const auto keys = daemon.driver().make_keys();
        require(daemon.run(exit->add_peer(SessionId{}, keys.public_key, "100.64.0.2")), "peer");
    } else {
        ports::TunnelOffer offer;
        offer.server_key = daemon.driver().make_keys().public_key;
        offer.endpoint_host = "11.1.0.1";
        offer.endpoint_port = 9;
        offer.client_address = "100.64.0.2";
        offer.server_address = "100.64.0.1";
        offer.dns = {"11.2.0.99"};
        client = must(daemon.run(daemon.driver().connect(offer, daemon.driver().make_keys())), "connect");
    }
    std::cout << "READY" << std::endl;
    ::pause();
}

class Victim {
public:
    Victim(const sys::NetworkNamespace& machine, const std::string& role, const std::string& state,
           WireguardKind kind) {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
        const sys::Fd read_end(ends[0]);
        sys::Fd write_end(ends[1]);
        pid_ = must(machine.run([&] { return start(role, state, kind, write_end.get()); }), "start the victim");
        write_end.reset();
        std::string output;
        std::array<char, 512> buffer{};
        while (output.find("READY") == std::string::npos) {
            const auto got = ::read(read_end.get(), buffer.data(), buffer.size());
            if (got <= 0) throw std::runtime_error("the victim failed: " + output);
            output.append(buffer.data(), static_cast<std::size_t>(got));
        }
    }
    ~Victim() { kill(); }
    void kill() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(std::exchange(pid_, -1), nullptr, 0);
    }

private:
    static Result<pid_t> start(const std::string& role, const std::string& state, WireguardKind kind, int output) {
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, output, 1);
        std::string program = "/proc/self/exe";
        std::string filter = "--gtest_filter=DISABLED_VpnVictim.*";
        std::string also = "--gtest_also_run_disabled_tests";
        std::string role_text = "MYST_VPN_VICTIM_ROLE=" + role;
        std::string state_text = "MYST_VPN_VICTIM_STATE=" + state;
        const std::array<char*, 4> arguments{program.data(), filter.data(), also.data(), nullptr};
        std::string kind_text = "MYST_VPN_VICTIM_KIND=" + kind_name({kind, 0});
        const std::array<char*, 4> environment{role_text.data(), state_text.data(), kind_text.data(), nullptr};
        pid_t pid = -1;
        const int error = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments.data(), environment.data());
        ::posix_spawn_file_actions_destroy(&actions);
        if (error != 0) return fail(ErrorCode::io, "posix_spawn: " + std::to_string(error));
        return pid;
    }
    pid_t pid_ = -1;
};

TEST_P(VpnOfEachKind, RemoveStaleCleansUpAfterSigkill) {
    for (const std::string role : {"exit", "client"}) {
        const auto& machine = role == "exit" ? network().provider : network().client_a;
        const TemporaryDirectory parent;
        const std::string state = parent.path() + "/vpn";
        put_text(state + ".resolv.conf", kOriginal);
        const auto before = traces(machine);
        Victim victim(machine, role, state, kind());
        ASSERT_NE(traces(machine), before);
        Daemon daemon(machine, state);
        require(daemon.run(daemon.driver().remove_stale()), "remove_stale");
        EXPECT_NE(traces(machine), before) << "a living sibling's things stay";
        EXPECT_NE(files_in(state), 0U);
        victim.kill();
        require(daemon.run(daemon.driver().remove_stale()), "remove_stale");
        EXPECT_TRUE(eventually([&] { return traces(machine) == before; })) << traces(machine) << "\nbefore:\n"
                                                                           << before;
        EXPECT_EQ(text_of(state + ".resolv.conf"), kOriginal);
        EXPECT_EQ(files_in(state), 0U);
    }
}

TEST_F(VpnNetns, TwoExitsOfOneMachineShareItsForwardingSetting) {
    const auto before = traces(network().provider);
    open_exit();
    ports::ExitSettings other;
    other.listen_port = 0;
    other.pool = "100.80.0.0/16";
    auto second = must(exit_daemon().run(exit_daemon().driver().open_exit(other)), "second exit");
    require(exit_daemon().run(exit().close()), "close the first");
    EXPECT_NE(traces(network().provider).find("ip_forward=1"), std::string::npos) << "the second still needs it";
    require(exit_daemon().run(second->close()), "close the second");
    EXPECT_EQ(traces(network().provider), before);
}

TEST_P(VpnOfEachKind, ABusyUdpPortIsSaidSoAndLeavesNothing) {
    const auto before = traces(network().provider);
    const auto busy = udp_socket(network().provider, "0.0.0.0", 0);
    ports::ExitSettings settings;
    settings.listen_port = port_of(busy);
    auto daemon = make_daemon(network().provider);
    const auto opened = daemon->run(daemon->driver().open_exit(settings));
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::already_exists) << opened.error().describe();
    EXPECT_FALSE(opened.error().cure.empty());
    EXPECT_EQ(traces(network().provider), before);
}

}  // namespace
}  // namespace myst::vpn::test
