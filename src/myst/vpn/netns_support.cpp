#include "myst/vpn/netns_support.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>

#include "myst/sys/netlink.hpp"
#include "myst/sys/sysctl.hpp"

namespace myst::vpn::test {
namespace {

using sys::NetworkNamespace;

sockaddr_in socket_name(const std::string& address, std::uint16_t port) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    if (::inet_pton(AF_INET, address.c_str(), &name.sin_addr) != 1) throw std::runtime_error("bad address " + address);
    return name;
}

sys::Fd bound_socket(const NetworkNamespace& machine, int type, const std::string& address, std::uint16_t port) {
    const auto open = [&]() -> Result<int> {
        const int fd = ::socket(AF_INET, type | SOCK_CLOEXEC, 0);
        const auto name = socket_name(address, port);
        const int on = 1;
        ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (::bind(fd, reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0) {
            return fail(ErrorCode::io, "bind " + address + ": " + std::to_string(errno));
        }
        return fd;
    };
    return sys::Fd(must(machine.run(open), "bind a socket"));
}

bool ready(const sys::Fd& socket, short events, milliseconds limit) {
    pollfd entry{.fd = socket.get(), .events = events, .revents = 0};
    return ::poll(&entry, 1, static_cast<int>(limit.count())) > 0;
}

Result<> start_loopback(std::vector<std::string> addresses) {
    auto links = sys::Netlink::open();
    if (!links) return forward_error(links);
    auto loopback = links->link("lo");
    if (!loopback) return forward_error(loopback);
    for (const auto& address : addresses) {
        if (auto added = links->add_address(loopback->index, address, 32); !added) return added;
    }
    return links->set_up(loopback->index);
}

Result<> start(const std::string& name, const std::string& address, const std::string& gateway) {
    auto links = sys::Netlink::open();
    if (!links) return forward_error(links);
    auto link = links->link(name);
    if (!link) return forward_error(link);
    if (auto added = links->add_address(link->index, address, 24); !added) return added;
    if (auto up = links->set_up(link->index); !up || gateway.empty()) return up;
    sys::Route route;
    route.link = link->index;
    route.gateway = gateway;
    return links->add_route(route);
}

/// An Ethernet cable between two machines.
void connect(const NetworkNamespace& left, const std::string& left_name, const std::string& left_address,
             const std::string& left_gateway, const NetworkNamespace& right, const std::string& right_name,
             const std::string& right_address, const std::string& right_gateway) {
    require(left.run([&]() -> Result<> {
        auto links = sys::Netlink::open();
        if (!links) return forward_error(links);
        if (auto made = links->create_veth(left_name, right_name, right.fd(), 1500); !made) return made;
        return start(left_name, left_address, left_gateway);
    }),
            "connect " + left_name);
    require(right.run([&] { return start(right_name, right_address, right_gateway); }), "connect " + right_name);
}

}  // namespace

void require(const Result<>& result, const std::string& what) {
    if (result) return;
    ADD_FAILURE() << what << ": " << result.error().describe();
    throw std::runtime_error(what + ": " + result.error().describe());
}

std::string missing_for(WireguardKind kind) {
    SystemRandom random;
    WorkerPool workers(1);
    DriverSettings settings;
    settings.wireguard.kind = kind;
    const auto available = WireguardDriver(workers, random, settings).available();
    if (!available) return available.error().describe();
    auto network = NetworkNamespace::create();
    return network ? "" : network.error().describe();
}

void SystemRandom::fill(std::span<std::uint8_t> out) {
    if (::getrandom(out.data(), out.size(), 0) != static_cast<ssize_t>(out.size())) std::abort();
}

Daemon::Daemon(NetworkNamespace machine, std::string state_directory, WireguardKind kind)
    : state_(std::move(state_directory)) {
    std::promise<void> ready;
    thread_ = std::thread([this, machine = std::move(machine), kind, &ready] {
        std::ignore = machine.run([this, kind, &ready]() -> Result<> {
            workers_ = std::make_unique<WorkerPool>(2);  // its threads start here, in this namespace
            DriverSettings settings;
            settings.state_directory = state_;
            settings.resolv_conf = resolv_conf();
            settings.wireguard.kind = kind;
            driver_ = std::make_unique<WireguardDriver>(*workers_, random_, settings);
            ready.set_value();
            io_.run();
            return {};
        });
    });
    ready.get_future().wait();
}

Daemon::~Daemon() {
    work_.reset();
    thread_.join();
}

Network::Network()
    : client_a(must(NetworkNamespace::create(), "client_a")),
      client_b(must(NetworkNamespace::create(), "client_b")),
      provider(must(NetworkNamespace::create(), "provider")),
      site(must(NetworkNamespace::create(), "site")) {
    for (const auto* machine : {&client_a, &client_b, &provider}) {
        require(machine->run([] { return start_loopback({}); }), "loopback");
    }
    require(site.run([] { return start_loopback({"10.9.9.9", "169.254.169.254", "11.9.9.9"}); }), "loopback");
    connect(client_a, "eth", "11.1.0.2", "11.1.0.1", provider, "a", "11.1.0.1", "");
    connect(client_b, "eth", "11.3.0.2", "11.3.0.1", provider, "b", "11.3.0.1", "");
    connect(provider, "up", "11.2.0.1", "11.2.0.2", site, "eth", "11.2.0.2", "11.2.0.1");
    for (const auto* machine : {&client_a, &client_b, &provider, &site}) {
        const auto connected = [machine] {
            return output_of(*machine, {"/usr/sbin/ip", "link"}).find("NO-CARRIER") == std::string::npos;
        };
        if (!eventually(connected)) throw std::runtime_error("a cable has no carrier");
    }
    for (const auto* machine : {&client_a, &client_b}) {
        require(machine->run([] { return sys::write_sysctl("net/ipv4/conf/all/rp_filter", "1"); }), "rp_filter");
    }
}

std::string output_of(const NetworkNamespace& machine, std::vector<std::string> command) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    sys::Fd read_end(ends[0]);
    sys::Fd write_end(ends[1]);
    std::vector<char*> arguments;
    for (auto& word : command) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const auto start_program = [&]() -> Result<pid_t> {
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), 1);
        pid_t pid = -1;
        const int error = ::posix_spawn(&pid, command[0].c_str(), &actions, nullptr, arguments.data(), environ);
        ::posix_spawn_file_actions_destroy(&actions);
        if (error != 0) return fail(ErrorCode::io, "spawn: " + std::to_string(error));
        return pid;
    };
    const pid_t pid = must(machine.run(start_program), command[0]);
    write_end.reset();
    std::string output;
    std::array<char, 4096> buffer{};
    ssize_t got = 0;
    while ((got = ::read(read_end.get(), buffer.data(), buffer.size())) > 0) {
        output.append(buffer.data(), static_cast<std::size_t>(got));
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    EXPECT_EQ(status, 0) << command[0];
    return output;
}

std::string traces(const NetworkNamespace& machine) {
    std::string all;
    const std::vector<std::vector<std::string>> commands{
        {"/usr/sbin/ip", "-br", "link"},
        {"/usr/sbin/ip", "-br", "-4", "addr"},
        {"/usr/sbin/ip", "rule"},
        {"/usr/sbin/ip", "-6", "rule"},
        {"/usr/sbin/ip", "-4", "route", "show", "table", "all"},
        {"/usr/sbin/ip", "-6", "route", "show", "table", "all", "proto", "109"},
        {"/usr/sbin/nft", "list", "ruleset"}};
    for (const auto& command : commands) all += output_of(machine, command) + "\n";
    for (const auto* name : {"ip_forward", "conf/all/src_valid_mark", "conf/all/arp_ignore"}) {
        const std::string path = std::string("net/ipv4/") + name;
        all += path + "=" + must(machine.run([&] { return sys::read_sysctl(path); }), path) + "\n";
    }
    return all;
}

sys::Fd udp_socket(const NetworkNamespace& machine, const std::string& address, std::uint16_t port) {
    return bound_socket(machine, SOCK_DGRAM, address, port);
}

sys::Fd tcp_listener(const NetworkNamespace& machine, const std::string& address, std::uint16_t port) {
    auto fd = bound_socket(machine, SOCK_STREAM, address, port);
    if (::listen(fd.get(), 16) != 0) throw std::runtime_error("listen");
    return fd;
}

sys::Fd tcp_connect(const NetworkNamespace& machine, const std::string& address, std::uint16_t port,
                    milliseconds limit) {
    auto fd = bound_socket(machine, SOCK_STREAM, "0.0.0.0", 0);
    const auto name = socket_name(address, port);
    ::fcntl(fd.get(), F_SETFL, O_NONBLOCK);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0 && errno != EINPROGRESS) {
        return {};
    }
    if (!writable(fd, limit)) return {};
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return {};
    return fd;
}

sys::Fd tcp_accept(const sys::Fd& listener) {
    if (!readable(listener, kPatience)) return {};
    return sys::Fd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

std::uint16_t port_of(const sys::Fd& socket) {
    sockaddr_in name{};
    socklen_t size = sizeof(name);
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&name), &size);
    return ntohs(name.sin_port);
}

bool send_to(const sys::Fd& socket, const std::string& address, std::uint16_t port, std::size_t size) {
    const Bytes content(size, 'x');
    const auto name = socket_name(address, port);
    return ::sendto(socket.get(), content.data(), content.size(), 0, reinterpret_cast<const sockaddr*>(&name),
                    sizeof(name)) == static_cast<ssize_t>(size);
}

bool readable(const sys::Fd& socket, milliseconds limit) {
    return ready(socket, POLLIN, limit);
}

bool writable(const sys::Fd& socket, milliseconds limit) {
    return ready(socket, POLLOUT, limit);
}

bool echo(const sys::Fd& from, const sys::Fd& server, const std::string& address, std::size_t size) {
    std::array<std::uint8_t, 65536> buffer{};
    if (!send_to(from, address, port_of(server), size) || !readable(server, kPatience)) return false;
    sockaddr_in sender{};
    socklen_t length = sizeof(sender);
    const auto got =
        ::recvfrom(server.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&sender), &length);
    if (got != static_cast<ssize_t>(size)) return false;
    ::sendto(server.get(), buffer.data(), size, 0, reinterpret_cast<const sockaddr*>(&sender), length);
    return readable(from, kPatience) && ::recv(from.get(), buffer.data(), buffer.size(), 0) == got;
}

}  // namespace myst::vpn::test
