// The protocol against wireguard-go, over loopback in a network namespace of the test's own. Its side has a real
// interface whose kernel answers pings; ours has only the protocol. Needs root, /dev/net/tun, wireguard-go and ip.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "myst/wireguard/test_support/pair.hpp"
#include "myst/wireguard/uapi.hpp"

namespace myst::wireguard {
namespace {

constexpr const char* kProgram = "/usr/bin/wireguard-go";
constexpr const char* kSocket = "/run/wireguard/wgt0.sock";

pid_t start(std::vector<std::string> arguments) {
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t pid = -1;
    return posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ) == 0 ? pid : -1;
}

bool run(const std::vector<std::string>& arguments) {
    const auto pid = start(arguments);
    int status = 0;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

std::uint16_t checksum(BytesView bytes) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
        sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
    while ((sum >> 16) != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

void store_checksum(std::span<std::uint8_t> bytes, std::size_t at) {
    bytes[at] = bytes[at + 1] = 0;
    const auto sum = checksum(bytes);
    bytes[at] = static_cast<std::uint8_t>(sum >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(sum);
}

/// An echo request from 10.9.0.2 to 10.9.0.1; `content` is even.
Bytes ping(std::uint8_t number, std::size_t content) {
    auto packet = test::ip_packet(test::ip("10.9.0.2"), test::ip("10.9.0.1"), 8 + content);
    const auto all = std::span(packet);
    packet[6] = packet[7] = 0;  // no fragment
    packet[8] = 64;
    packet[9] = 1;
    store_checksum(all.first(20), 10);
    packet[20] = 8;
    packet[21] = 0;
    packet[26] = 0;
    packet[27] = number;
    store_checksum(all.subspan(20), 2);
    return packet;
}

/// A request to wireguard-go's socket; its answer.
std::string ask(const std::string& request) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy_n(kSocket, std::string_view(kSocket).size(), address.sun_path);
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::string answer;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 &&
        ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size())) {
        std::array<char, 4096> buffer{};
        while (!answer.ends_with("\n\n")) {
            const auto got = ::recv(fd, buffer.data(), buffer.size(), 0);
            if (got <= 0) break;
            answer.append(buffer.data(), static_cast<std::size_t>(got));
        }
    }
    ::close(fd);
    return answer;
}

sockaddr_in socket_address(const Endpoint& endpoint) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    std::copy_n(endpoint.address.bytes.begin(), 4, reinterpret_cast<std::uint8_t*>(&address.sin_addr));
    return address;
}

class WireguardGo : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0 || ::access(kProgram, X_OK) != 0 || ::access("/dev/net/tun", R_OK | W_OK) != 0) {
            GTEST_SKIP() << "needs root, /dev/net/tun and " << kProgram;
        }
        ASSERT_EQ(::unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
        ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
        ::mkdir("/run/wireguard", 0700);
        ASSERT_EQ(::mount("none", "/run/wireguard", "tmpfs", 0, nullptr), 0);
        ASSERT_TRUE(run({"ip", "link", "set", "lo", "up"}));
        program_ = start({kProgram, "-f", "wgt0"});
        ASSERT_GT(program_, 0);
        ASSERT_TRUE(until([] { return !ask("get=1\n\n").empty(); }));
        ASSERT_TRUE(run({"ip", "address", "add", "10.9.0.1/24", "dev", "wgt0"}));
        ASSERT_TRUE(run({"ip", "link", "set", "wgt0", "up"}));
        open_socket();
    }
    void TearDown() override {
        if (program_ > 0) {
            ::kill(program_, SIGKILL);
            ::waitpid(program_, nullptr, 0);
        }
        if (fd_ >= 0) ::close(fd_);
    }

    /// Carries datagrams between our device and the socket until the condition holds; false after ten seconds.
    template <class Condition>
    bool until(Condition condition) {
        const auto start = std::chrono::steady_clock::now();
        const auto began = clock_.now().steady;
        while (!condition()) {
            const auto passed = std::chrono::steady_clock::now() - start;
            if (passed > seconds(10)) return false;
            clock_.advance_to(began + passed);
            if (ours_) pump();
            pollfd waiting{fd_, POLLIN, 0};
            ::poll(&waiting, fd_ >= 0 ? 1 : 0, 20);
        }
        return true;
    }
    /// Makes both sides know each other; `more` are further lines about us for wireguard-go.
    void introduce(const std::string& more, const Secret<32>& preshared) {
        ours_ = std::make_unique<test::Node>(static_cast<std::uint64_t>(::getpid()), ours_at_, clock_);
        test::SeededRng rng(static_cast<std::uint64_t>(::getpid()) + 1);
        const auto their_private = make_private_key(rng);
        theirs_ = public_key_of(their_private);
        const auto id = ours_->device().add_peer(theirs_).value();
        ASSERT_TRUE(ours_->device().allowed_ips().insert(test::prefix("10.9.0.1"), id));
        ours_->device().peer(id)->set_preshared_key(preshared.clone());
        ASSERT_EQ(ask("set=1\nprivate_key=" + to_hex(their_private.expose()) +
                      "\nlisten_port=51820\nreplace_peers=true\npublic_key=" + ours_->key().hex() +
                      "\npreshared_key=" + to_hex(preshared.expose()) + "\nallowed_ip=10.9.0.2/32\n" + more + "\n"),
                  "errno=0\n\n");
    }
    void know_where_they_are() {
        Actions actions;
        ours_->peer(theirs_).set_endpoint(test::endpoint("127.0.0.1:51820"), clock_.now(), actions);
        ours_->carry_out(std::move(actions));
    }
    void expect_answers(std::uint8_t count) {
        for (std::uint8_t i = 0; i < count; ++i) ours_->send(ping(i, 2U * i));
        ASSERT_TRUE(until([&] { return ours_->delivered.size() >= count; }));
        for (std::uint8_t i = 0; i < count; ++i) {
            const auto& answer = ours_->delivered[i];
            EXPECT_EQ(answer.size(), ping(i, 2U * i).size());
            EXPECT_EQ(answer[20], 0) << "an echo reply";
            EXPECT_EQ(answer[27], i);
        }
    }
    [[nodiscard]] std::string our_endpoint_line() const { return "endpoint=" + ours_at_.to_string() + "\n"; }
    [[nodiscard]] const KeypairPtr& current() { return ours_->peer(theirs_).keypairs().current(); }

    test::TestClock clock_;
    std::unique_ptr<test::Node> ours_;
    TunnelKey theirs_;

private:
    void open_socket() {
        fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        auto address = socket_address({test::ip("127.0.0.1"), 0});
        socklen_t size = sizeof(address);
        ASSERT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
        ASSERT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
        ours_at_ = {test::ip("127.0.0.1"), ntohs(address.sin_port)};
    }
    void pump() {
        std::array<std::uint8_t, 65536> buffer{};
        for (;;) {
            const auto got = ::recv(fd_, buffer.data(), buffer.size(), 0);
            if (got < 0) break;
            ours_->receive({test::endpoint("127.0.0.1:51820"), ours_at_, Bytes(buffer.begin(), buffer.begin() + got)});
        }
        ours_->advance();
        for (const auto& sent : test::Pair::take(*ours_)) {
            const auto to = socket_address(sent.to);
            ::sendto(fd_, sent.bytes.data(), sent.bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
        }
    }

    pid_t program_ = -1;
    int fd_ = -1;
    Endpoint ours_at_;
};

TEST_F(WireguardGo, AcceptsOurInitiation) {
    introduce("", Secret<32>{});
    know_where_they_are();
    expect_answers(20);
    EXPECT_TRUE(current()->initiator());
}

TEST_F(WireguardGo, AcceptsOurInitiationWithAPresharedKey) {
    test::SeededRng rng(3);
    introduce("", make_private_key(rng));
    know_where_they_are();
    expect_answers(3);
}

TEST_F(WireguardGo, IsAnsweredWhenItBegins) {
    test::SeededRng rng(4);
    introduce(our_endpoint_line() + "persistent_keepalive_interval=1\n", make_private_key(rng));
    ASSERT_TRUE(until([&] { return current() != nullptr; }));
    EXPECT_FALSE(current()->initiator());
    expect_answers(20);
}

TEST_F(WireguardGo, IsAnsweredByABusyDeviceOnItsSecondAttempt) {
    introduce(our_endpoint_line() + "persistent_keepalive_interval=1\n", Secret<32>{});
    const auto busy_until_then = [&] {
        ours_->device().load().report(1, 1, clock_.now().steady);
        return current() != nullptr;
    };
    ASSERT_TRUE(until(busy_until_then)) << "with the cookie that it got for the first";
    EXPECT_GE(clock_.now().steady - test::TestClock{}.now().steady, seconds(4));
}

}  // namespace
}  // namespace myst::wireguard
