// Somebody who sends more handshakes than are welcome.
#pragma once

#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "myst/crypto/system_rng.hpp"
#include "myst/dataplane/test_support/tunnel_ends.hpp"
#include "myst/sys/fd.hpp"
#include "myst/sys/netns.hpp"
#include "myst/wireguard/cookie.hpp"
#include "myst/wireguard/messages.hpp"
#include "myst/wireguard/noise.hpp"

namespace myst::dataplane::test {

/// Sends initiations to a device in bursts from many ports, in a thread of its own: most that only opening them tells
/// from real ones, some that were sent before, and some whose mac1 is wrong. The last one of each burst is an admitted
/// peer's, and always answered; only then comes the next burst, so that slow machines are not asked for too much.
class Flooder {
public:
    static constexpr std::size_t kPorts = 32;
    static constexpr std::size_t kFromEach = 16;               ///< of a burst
    static constexpr std::size_t kBurst = kPorts * kFromEach;  ///< many more than make a device busy, but it takes them
    static constexpr int kPause = 200;  ///< milliseconds: at most 2,240 per second have a right mac1
    static constexpr std::uint64_t kPlausiblePerBurst = kBurst / 8 * 7;

    /// In this namespace, at the device with this address outside and this key. It admits `peer`, and is idle.
    Flooder(const sys::NetworkNamespace& where, const sockaddr_in& to, const TunnelKey& device,
            wireguard::Identity peer)
        : device_(device), peer_(std::move(peer)), macs_(device), stop_(::eventfd(0, EFD_CLOEXEC)) {
        const auto open = [&] {
            auto socket = where.run([] { return Result<sys::Fd>(sys::Fd(::socket(AF_INET, SOCK_DGRAM, 0))); });
            EXPECT_EQ(::connect(socket->get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
            return std::move(*socket);
        };
        own_ = open();
        ::setsockopt(own_.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
        const auto accepted = genuine();
        EXPECT_EQ(answer_to(accepted), static_cast<ssize_t>(wireguard::kResponseSize));
        for (std::size_t i = 0; i < kPorts; ++i) {
            ports_.push_back({open(), i % 8 == 0, {}});
            const int each = wireguard::kInitiationSize;
            EXPECT_EQ(::setsockopt(ports_[i].socket.get(), IPPROTO_UDP, UDP_SEGMENT, &each, sizeof each), 0);
            for (std::size_t j = 0; j < kFromEach; ++j) {
                const auto message = i % 8 == 1 ? accepted : plausible(ports_[i].wrong_mac);
                ports_[i].burst.insert(ports_[i].burst.end(), message.begin(), message.end());
            }
        }
        thread_ = std::thread([this] { run(); });
    }
    ~Flooder() {
        const std::uint64_t one = 1;
        EXPECT_EQ(::write(stop_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
        thread_.join();
    }
    Flooder(const Flooder&) = delete;
    Flooder& operator=(const Flooder&) = delete;

    /// From which the admitted peer speaks.
    [[nodiscard]] std::uint16_t own_port() const {
        sockaddr_in address{};
        socklen_t size = sizeof address;
        EXPECT_EQ(::getsockname(own_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
        return ntohs(address.sin_port);
    }
    [[nodiscard]] std::uint64_t bursts() const { return bursts_; }
    /// Returns when so many bursts more have just been sent.
    void wait_for_bursts(std::uint64_t more) const {
        const auto wanted = bursts_ + more;
        for (auto seen = bursts_.load(); seen < wanted; seen = bursts_) bursts_.wait(seen);
    }
    /// Cookies that messages with a right mac1 were answered with, apart from the admitted peer's.
    [[nodiscard]] std::uint64_t cookies() const { return cookies_; }
    /// Any other answers to what is not genuine.
    [[nodiscard]] std::uint64_t more_answers() const { return more_answers_; }

private:
    using Message = std::array<std::uint8_t, wireguard::kInitiationSize>;
    struct Port {
        sys::Fd socket;
        bool wrong_mac = false;
        Bytes burst;
    };
    [[nodiscard]] Message genuine() {
        const auto wall = std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
        const auto made =
            wireguard::make_initiation(peer_, device_, peer_.agree(device_).value(), timestamps_.next(wall), 1, rng_);
        auto message = made->message.encode();
        macs_.add_macs(message, {});
        return message;
    }
    [[nodiscard]] Message plausible(bool wrong_mac) {
        wireguard::Initiation initiation;
        rng_.fill(initiation.ephemeral.bytes);
        rng_.fill(initiation.encrypted_static);
        auto message = initiation.encode();
        macs_.add_macs(message, {});
        if (wrong_mac) message[message.size() - 2 * wireguard::kMacSize] ^= 1;
        return message;
    }
    /// Its size.
    [[nodiscard]] ssize_t answer_to(const Message& message) const {
        EXPECT_EQ(::send(own_.get(), message.data(), message.size(), 0), static_cast<ssize_t>(message.size()));
        std::array<std::uint8_t, 200> answer{};
        return ::recv(own_.get(), answer.data(), answer.size(), 0);
    }
    void run() {
        pollfd stop{stop_.get(), POLLIN, 0};
        do {
            for (const auto& port : ports_) {
                std::ignore = ::send(port.socket.get(), port.burst.data(), port.burst.size(), 0);
            }
            ++bursts_;
            bursts_.notify_all();
            EXPECT_GT(answer_to(genuine()), 0);
            for (const auto& port : ports_) count_answers(port);
        } while (::poll(&stop, 1, kPause) == 0);
    }
    void count_answers(const Port& port) {
        std::array<std::uint8_t, 200> answer{};
        for (;;) {
            const auto size = ::recv(port.socket.get(), answer.data(), answer.size(), MSG_DONTWAIT);
            if (size < 0) return;
            const bool cookie = size == static_cast<ssize_t>(wireguard::kCookieReplySize) && !port.wrong_mac;
            ++(cookie ? cookies_ : more_answers_);
        }
    }

    TunnelKey device_;
    wireguard::Identity peer_;
    wireguard::CookieGenerator macs_;
    wireguard::TimestampSource timestamps_;
    crypto::SystemRng rng_;
    sys::Fd stop_;
    sys::Fd own_;
    std::vector<Port> ports_;
    std::atomic<std::uint64_t> bursts_ = 0;
    std::atomic<std::uint64_t> cookies_ = 0;
    std::atomic<std::uint64_t> more_answers_ = 0;
    std::thread thread_;
};

}  // namespace myst::dataplane::test
