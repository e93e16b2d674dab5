// Two interfaces of ours in network namespaces of the test's own, set up as `wg` does it. Needs root and /dev/net/tun.
#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <future>
#include <numeric>
#include <thread>

#include <gtest/gtest.h>

#include "myst/base/bytes.hpp"
#include "myst/base/test_support/temporary_directory.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/dataplane/test_support/inner_socket.hpp"
#include "myst/dataplane/tunnel.hpp"
#include "myst/sys/netns.hpp"
#include "myst/wireguard/primitives.hpp"

namespace myst::dataplane::test {

inline constexpr timeval kPatience{20, 0};

/// A request to the socket at `path`; its answer.
inline std::string ask(const std::string& path, const std::string& request) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    const sys::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
    if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return {};
    std::string answer;
    std::array<char, 4'096> buffer{};
    while (!answer.ends_with("\n\n")) {
        const auto size = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
        if (size <= 0) break;
        answer.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return answer;
}

/// One end: a namespace with an uplink and an interface that a thread carries.
class End {
public:
    End(const sys::NetworkNamespace& where, Tunnel::Settings settings) : where_(where), settings_(std::move(settings)) {
        stop_.reset(::eventfd(0, EFD_CLOEXEC));
    }
    ~End() { stop(); }
    End(const End&) = delete;
    End& operator=(const End&) = delete;

    [[nodiscard]] Result<> start() {
        std::promise<Result<>> started;
        auto outcome = started.get_future();
        thread_ = std::thread([this, started = std::move(started)]() mutable {
            std::ignore = where_.run([&]() -> Result<> {
                auto tunnel = Tunnel::create(settings_, rng_);
                started.set_value(tunnel ? Result<>() : Result<>(forward_error(tunnel)));
                return tunnel ? (*tunnel)->run(stop_.get(), [] { return false; }) : Result<>();
            });
        });
        return outcome.get();
    }
    void stop() {
        if (!thread_.joinable()) return;
        const std::uint64_t one = 1;
        EXPECT_EQ(::write(stop_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
        thread_.join();
    }
    [[nodiscard]] std::string socket_path() const { return settings_.uapi_folder + "/" + settings_.name + ".sock"; }
    [[nodiscard]] std::string ask(const std::string& request) const { return test::ask(socket_path(), request); }
    /// What `wg` is told, without the private key at its beginning, which must not show in a failure's text.
    [[nodiscard]] std::string status() const {
        const auto text = ask("get=1\n\n");
        return text.substr(std::min(text.find("listen_port="), text.size()));
    }

private:
    sys::NetworkNamespace where_;
    Tunnel::Settings settings_;
    crypto::SystemRng rng_;
    sys::Fd stop_;
    std::thread thread_;
};

class TunnelEnds : public ::testing::Test {
protected:
    void SetUp() override {
        auto left = sys::NetworkNamespace::create();
        if (!left || ::access("/dev/net/tun", R_OK | W_OK) != 0) GTEST_SKIP() << "needs root and /dev/net/tun";
        left_.emplace(*left);
        right_.emplace(sys::NetworkNamespace::create().value());
        ASSERT_TRUE(left_->run([this]() -> Result<> {
            auto links = sys::Netlink::open();
            if (!links) return forward_error(links);
            return links->create_veth("out", "out", right_->fd(), 1500);
        }));
        ASSERT_TRUE(set_up(*left_, "out", "11.0.0.1", "fd00::1"));
        ASSERT_TRUE(set_up(*right_, "out", "11.0.0.2", "fd00::2"));
    }
    void TearDown() override { ends_.clear(); }

    static Result<> set_up(const sys::NetworkNamespace& where, const std::string& link, const std::string& v4,
                           const std::string& v6) {
        return where.run([&]() -> Result<> {
            auto links = sys::Netlink::open();
            if (!links) return forward_error(links);
            auto found = links->link(link);
            if (!found) return forward_error(found);
            if (auto done = links->add_address(found->index, v4, 24); !done) return done;
            if (auto done = links->add_address(found->index, v6, 64); !done) return done;
            return links->set_up(found->index);
        });
    }

    /// Both interfaces, each the other's peer; the left one knows where the right one is.
    void connect() {
        const auto left_key = wireguard::make_private_key(rng_);
        const auto right_key = wireguard::make_private_key(rng_);
        start(*left_, "left", left_key, right_key, "10.9.0.2/32\nallowed_ip=fd09::2/128",
              outside_v6 ? "endpoint=[fd00::2]:51820\n" : "endpoint=11.0.0.2:51820\n");
        start(*right_, "right", right_key, left_key, "10.9.0.1/32\nallowed_ip=fd09::1/128", "");
        ASSERT_TRUE(set_up(*left_, "left", "10.9.0.1", "fd09::1"));
        ASSERT_TRUE(set_up(*right_, "right", "10.9.0.2", "fd09::2"));
    }
    void start(const sys::NetworkNamespace& where, const std::string& name, const Secret<32>& own,
               const Secret<32>& other, const std::string& allowed, const std::string& more) {
        ends_.push_back(std::make_unique<End>(where, Tunnel::Settings{name, offloads, folder_.path()}));
        const auto started = ends_.back()->start();
        ASSERT_TRUE(started) << started.error().describe();
        const auto peer = wireguard::public_key_of(other);
        const auto answer = ends_.back()->ask("set=1\nprivate_key=" + to_hex(own.expose()) +
                                              "\nlisten_port=51820\npublic_key=" + peer.hex() +
                                              "\nallowed_ip=" + allowed + "\n" + more + "\n");
        ASSERT_EQ(answer, "errno=0\n\n");
    }

    /// Adds or removes the second address of an uplink, 11.0.0.3 or fd00::3.
    static Result<> with_address(const sys::NetworkNamespace& where, bool present) {
        return where.run([present]() -> Result<> {
            auto links = sys::Netlink::open();
            if (!links) return forward_error(links);
            auto found = links->link("out");
            if (!found) return forward_error(found);
            for (const auto& [address, bits] : {std::pair("11.0.0.3", 24), std::pair("fd00::3", 64)}) {
                const auto prefix = static_cast<std::uint8_t>(bits);
                auto done = present ? links->add_address(found->index, address, prefix)
                                    : links->delete_address(found->index, address, prefix);
                if (!done) return done;
            }
            return {};
        });
    }

    /// A socket inside the tunnel, of the left end or the right.
    static sys::Fd inner_socket(const sys::NetworkNamespace& where, int type) {
        return where.run([type]() -> Result<sys::Fd> { return sys::Fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0)); })
            .value();
    }
    static sockaddr_in inner(std::uint8_t host, std::uint16_t port) {
        return inner_socket_address(0x0a090000U | host, port);
    }
    static void bind_to(const sys::Fd& socket, std::uint8_t host, std::uint16_t port) {
        const auto address = inner(host, port);
        ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    }

    Offloads offloads;
    bool outside_v6 = false;
    std::optional<sys::NetworkNamespace> left_;
    std::optional<sys::NetworkNamespace> right_;
    TemporaryDirectory folder_;
    crypto::SystemRng rng_;
    std::vector<std::unique_ptr<End>> ends_;
};

inline Bytes pattern(std::size_t size, std::uint8_t first) {
    Bytes bytes(size);
    std::iota(bytes.begin(), bytes.end(), first);
    return bytes;
}

inline constexpr std::size_t kStream = 8 << 20;

/// Gives up when nothing moves for long.
inline void send_all(int fd, std::uint8_t first) {
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
    const auto bytes = pattern(kStream, first);
    for (std::size_t at = 0; at < bytes.size();) {
        const auto size = ::send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
        if (size <= 0) return;
        at += static_cast<std::size_t>(size);
    }
}

/// Whether what `send_all` sends has come.
inline bool receive_all(int fd, std::uint8_t first) {
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    Bytes bytes(kStream);
    for (std::size_t at = 0; at < bytes.size();) {
        const auto size = ::recv(fd, bytes.data() + at, bytes.size() - at, 0);
        if (size <= 0) return false;
        at += static_cast<std::size_t>(size);
    }
    return bytes == pattern(kStream, first);
}

}  // namespace myst::dataplane::test
