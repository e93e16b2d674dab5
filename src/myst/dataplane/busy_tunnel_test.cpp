// An interface with more to do than to carry packets. Needs root and /dev/net/tun.
#include <fstream>
#include <set>

#include <gmock/gmock.h>

#include "myst/base/test_support/heap.hpp"
#include "myst/crypto/base64.hpp"
#include "myst/dataplane/test_support/flooder.hpp"
#include "myst/dataplane/test_support/tunnel_ends.hpp"
#include "myst/sys/child_process.hpp"

namespace myst::dataplane {
namespace {

using test::Flooder;
using test::receive_all;
using test::send_all;
using ::testing::HasSubstr;

/// The right end has a second uplink, to a third end, and admits two more peers.
class BusyTunnel : public test::TunnelEnds {
protected:
    void connect_all() {
        third_.emplace(sys::NetworkNamespace::create().value());
        const auto left_key = wireguard::make_private_key(rng_);
        start(*left_, "left", left_key, right_key_, "10.9.0.2/32", "endpoint=11.0.0.2:51820\n");
        start(*right_, "right", right_key_, left_key, "10.9.0.1/32", "");
        const auto admit = [this](const Secret<32>& key, const std::string& address) {
            const auto peer = "public_key=" + wireguard::public_key_of(key).hex() + "\nallowed_ip=" + address;
            ASSERT_EQ(right().ask("set=1\n" + peer + "/32\n\n"), "errno=0\n\n");
        };
        admit(newcomer_.private_key, "10.9.0.3");
        admit(replayed_.private_key, "10.9.0.4");
        ASSERT_TRUE(third_->run([this]() -> Result<> {
            auto links = sys::Netlink::open();
            if (!links) return forward_error(links);
            return links->create_veth("out", "out2", right_->fd(), 1500);
        }));
        start(*third_, "third", newcomer_.private_key, right_key_, "10.9.0.2/32", "endpoint=12.0.0.2:51820\n");
        ASSERT_TRUE(set_up(*third_, "out", "12.0.0.1", "fd02::1"));
        ASSERT_TRUE(set_up(*right_, "out2", "12.0.0.2", "fd02::2"));
        ASSERT_TRUE(set_up(*left_, "left", "10.9.0.1", "fd09::1"));
        ASSERT_TRUE(set_up(*right_, "right", "10.9.0.2", "fd09::2"));
        ASSERT_TRUE(set_up(*third_, "third", "10.9.0.3", "fd09::3"));
    }
    [[nodiscard]] const test::End& right() const { return *ends_[1]; }
    /// From left to right. Whether all that was sent has come, as it was.
    [[nodiscard]] bool transfer() {
        const auto listener = inner_socket(*right_, SOCK_STREAM);
        bind_to(listener, 2, 0);
        auto to = inner(2, 0);
        socklen_t size = sizeof to;
        EXPECT_EQ(::listen(listener.get(), 1), 0);
        EXPECT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&to), &size), 0);
        const auto client = inner_socket(*left_, SOCK_STREAM);
        if (::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return false;
        const sys::Fd server(::accept(listener.get(), nullptr, nullptr));
        std::thread sender([&] { send_all(client.get(), 9); });
        const bool whole = receive_all(server.get(), 9);
        sender.join();
        return whole;
    }
    /// How many of the datagrams that the socket has copies of are cookies.
    static int cookies_among(const sys::Fd& socket) {
        constexpr ssize_t kHeaders = 20 + 8;
        std::array<std::uint8_t, 2'048> packet{};
        int cookies = 0;
        for (;;) {
            const auto size = ::recv(socket.get(), packet.data(), packet.size(), MSG_DONTWAIT);
            if (size < 0) return cookies;
            if (size == kHeaders + static_cast<ssize_t>(wireguard::kCookieReplySize)) ++cookies;
        }
    }

    std::optional<sys::NetworkNamespace> third_;
    Secret<32> right_key_ = wireguard::make_private_key(rng_);
    wireguard::Identity newcomer_ = wireguard::Identity::from(wireguard::make_private_key(rng_));
    wireguard::Identity replayed_ = wireguard::Identity::from(wireguard::make_private_key(rng_));
};

TEST_F(BusyTunnel, InAFloodOfHandshakesSessionsGoOnAndANewPeerGetsOne) {
    connect_all();
    ASSERT_TRUE(transfer());
    const auto receiver = inner_socket(*right_, SOCK_DGRAM);
    bind_to(receiver, 2, 7'000);
    const auto newcomer = inner_socket(*third_, SOCK_DGRAM);
    const auto copies =
        third_->run([] { return Result<sys::Fd>(sys::Fd(::socket(AF_INET, SOCK_RAW, IPPROTO_UDP))); }).value();
    auto outside = inner(2, 51'820);
    outside.sin_addr.s_addr = htonl(0x0b000002U);

    Flooder flooder(*left_, outside, wireguard::public_key_of(right_key_), std::move(replayed_));
    flooder.wait_for_bursts(1);
    const auto memory = heap_bytes();
    while (flooder.bursts() < 6) ASSERT_TRUE(transfer());
    EXPECT_GT(flooder.cookies(), 0U) << "the device is busy";

    flooder.wait_for_bursts(1);
    const auto inside = inner(2, 7'000);
    ASSERT_EQ(::sendto(newcomer.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&inside), sizeof inside), 1);
    std::array<char, 8> buffer{};
    EXPECT_EQ(::recv(receiver.get(), buffer.data(), buffer.size(), 0), 1);
    EXPECT_GE(cookies_among(copies), 1);
    EXPECT_TRUE(transfer());

    EXPECT_LT(heap_bytes(), memory + 512 * 1'024) << "after " << flooder.bursts() * Flooder::kBurst << " messages";
    EXPECT_LE(flooder.cookies(), flooder.bursts() * Flooder::kPlausiblePerBurst);
    EXPECT_EQ(flooder.more_answers(), 0U);
    const auto endpoint = "endpoint=11.0.0.1:" + std::to_string(flooder.own_port()) + "\n";
    EXPECT_THAT(right().status(), HasSubstr(endpoint)) << "a replay would have moved it";
}

/// What `wg show` says of an interface with its socket in `folder`, which `wg` finds where it looks for it, in a view
/// of the files that is its own.
std::ifstream wg_show(const std::string& folder, const std::string& what) {
    const auto shown = folder + "/shown";
    const auto script = "mount -t tmpfs tmpfs /var/run && mkdir /var/run/wireguard && mount --bind " + folder +
                        " /var/run/wireguard && wg show " + what + " >" + shown;
    const sys::ChildSettings settings{
        .program = "/usr/bin/unshare", .arguments = {"-m", "sh", "-c", script}, .environment = {}, .log_name = "wg"};
    auto child = sys::ChildProcess::start(settings).value();
    EXPECT_TRUE(child.wait_for_end(std::chrono::seconds(20)));
    EXPECT_EQ(child.last_output(), "");
    return std::ifstream(shown);
}

TEST_F(BusyTunnel, WgIsToldOfTenThousandPeers) {
    if (::access("/usr/bin/wg", X_OK) != 0) GTEST_SKIP() << "needs wg";
    constexpr std::size_t kPeers = 10'000;
    start(*right_, "right", right_key_, newcomer_.private_key, "10.9.0.1/32", "");
    std::string request = "set=1\nreplace_peers=true\n";
    std::set<std::string> lines;
    for (std::size_t i = 0; i < kPeers; ++i) {
        TunnelKey key;
        rng_.fill(key.bytes);
        const auto address = "10.10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + "/32";
        request.append("public_key=").append(key.hex()).append("\nallowed_ip=").append(address).append("\n");
        lines.insert(crypto::to_base64(key.view()) + "\t" + address);
    }
    EXPECT_EQ(ends_.back()->ask(request + "\n"), "errno=0\n\n");
    auto shown = wg_show(folder_.path(), "right allowed-ips");
    std::set<std::string> told;
    for (std::string line; std::getline(shown, line);) told.insert(line);
    EXPECT_EQ(told.size(), kPeers);
    EXPECT_TRUE(told == lines) << *told.begin() << " " << *lines.begin();
}

}  // namespace
}  // namespace myst::dataplane
