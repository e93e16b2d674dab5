// Test support: machines as network namespaces, daemons on them, and the sockets that prove what passes.
//
//   client_a 11.1.0.2 ---- 11.1.0.1 \                                      / 11.2.0.2 (site)
//                                    provider  11.2.0.1 (uplink "up") ----+  10.9.9.9, 169.254.169.254 (site, too)
//   client_b 11.3.0.2 ---- 11.3.0.1 /
//
// Every machine has its default route towards the provider or the site, and clients filter reverse paths strictly.
// The namespaces have no names: they vanish with the test process.
#pragma once

#include <poll.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include "myst/runtime/worker_pool.hpp"
#include "myst/sys/fd.hpp"
#include "myst/sys/netns.hpp"
#include "myst/vpn/wireguard_driver.hpp"

namespace myst::vpn::test {

/// Fails the test and throws; for steps without which the rest makes no sense.
void require(const Result<>& result, const std::string& what);
template <class T>
T must(Result<T> result, const std::string& what) {
    if (!result) require(forward_error(result), what);
    return std::move(*result);
}

/// What this machine lacks for tests with such interfaces; empty if nothing.
[[nodiscard]] std::string missing_for(WireguardKind kind);

class SystemRandom final : public Rng {
public:
    void fill(std::span<std::uint8_t> out) override;
};

/// A control thread, worker threads and a driver, all inside one machine's namespace.
class Daemon {
public:
    Daemon(sys::NetworkNamespace machine, std::string state_directory, WireguardKind kind = WireguardKind::builtin);
    ~Daemon();
    [[nodiscard]] WireguardDriver& driver() { return *driver_; }
    [[nodiscard]] std::string resolv_conf() const { return state_ + ".resolv.conf"; }
    /// Runs a task on the control thread and waits for it.
    template <class T>
    T run(Task<T> task) {
        return asio::co_spawn(io_, std::move(task), asio::use_future).get();
    }
    /// Runs a call on the control thread and waits for it.
    template <class Call>
    std::invoke_result_t<Call&> call(Call work) {
        std::promise<std::invoke_result_t<Call&>> promise;
        asio::post(io_, [&] { promise.set_value(work()); });
        return promise.get_future().get();
    }

private:
    std::string state_;
    SystemRandom random_;
    asio::io_context io_;
    asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
    std::unique_ptr<WorkerPool> workers_;
    std::unique_ptr<WireguardDriver> driver_;
    std::thread thread_;
};

/// The machines of the picture above.
struct Network {
    Network();
    sys::NetworkNamespace client_a;
    sys::NetworkNamespace client_b;
    sys::NetworkNamespace provider;
    sys::NetworkNamespace site;
};

/// Output of a program run on a machine; fails the test if it fails.
[[nodiscard]] std::string output_of(const sys::NetworkNamespace& machine, std::vector<std::string> command);
/// Interfaces, addresses, rules, routes, filters and the settings that tunnels touch, as text for comparison.
[[nodiscard]] std::string traces(const sys::NetworkNamespace& machine);

/// Sockets of a machine; the text is an IPv4 address. They time out after `kPatience`, or at once where stated.
inline constexpr milliseconds kPatience{10000};
[[nodiscard]] sys::Fd udp_socket(const sys::NetworkNamespace& machine, const std::string& address, std::uint16_t port);
[[nodiscard]] sys::Fd tcp_listener(const sys::NetworkNamespace& machine, const std::string& address,
                                   std::uint16_t port);
/// Empty if no connection came about within `limit`.
[[nodiscard]] sys::Fd tcp_connect(const sys::NetworkNamespace& machine, const std::string& address, std::uint16_t port,
                                  milliseconds limit);
[[nodiscard]] sys::Fd tcp_accept(const sys::Fd& listener);
[[nodiscard]] std::uint16_t port_of(const sys::Fd& socket);
/// False if the system refuses to send.
bool send_to(const sys::Fd& socket, const std::string& address, std::uint16_t port, std::size_t size);
/// Whether the socket takes data within `limit`.
[[nodiscard]] bool writable(const sys::Fd& socket, milliseconds limit);
/// Whether there is something to read within `limit`.
[[nodiscard]] bool readable(const sys::Fd& socket, milliseconds limit);
/// Sends `size` bytes from `from` to the echo at `address`, waits for the answer; false after `kPatience`.
[[nodiscard]] bool echo(const sys::Fd& from, const sys::Fd& server, const std::string& address, std::size_t size);

inline constexpr int kLookAgainMs = 2;
/// Calls `condition` every few milliseconds until it holds, for at most `limit`.
template <class Condition>
[[nodiscard]] bool eventually(Condition condition, milliseconds limit = kPatience) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (std::chrono::steady_clock::now() < deadline) {
        if (condition()) return true;
        ::poll(nullptr, 0, kLookAgainMs);
    }
    return condition();
}

}  // namespace myst::vpn::test
