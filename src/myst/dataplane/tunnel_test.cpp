// Two interfaces of ours in network namespaces of the test's own, set up as `wg` does it. Needs root and /dev/net/tun.
#include "myst/dataplane/tunnel.hpp"
#include "myst/base/test_support/temporary_directory.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <future>
#include <numeric>
#include <thread>

#include <gmock/gmock.h>

#include "myst/base/bytes.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/sys/netns.hpp"
#include "myst/wireguard/primitives.hpp"

namespace myst::dataplane {
namespace {

using ::testing::HasSubstr;

constexpr timeval kPatience{20, 0};

/// A request to the socket at `path`; its answer.
std::string ask(const std::string& path, const std::string& request) {
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
    [[nodiscard]] std::string ask(const std::string& request) const { return dataplane::ask(socket_path(), request); }
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

struct Case {
    const char* name;
    Offloads offloads;
    bool v6;  ///< outside
};

class TunnelTest : public ::testing::TestWithParam<Case> {
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
        start(*left_, "left", left_key, right_key, "10.9.0.2/32",
              GetParam().v6 ? "endpoint=[fd00::2]:51820\n" : "endpoint=11.0.0.2:51820\n");
        start(*right_, "right", right_key, left_key, "10.9.0.1/32", "");
        ASSERT_TRUE(set_up(*left_, "left", "10.9.0.1", "fd09::1"));
        ASSERT_TRUE(set_up(*right_, "right", "10.9.0.2", "fd09::2"));
    }
    void start(const sys::NetworkNamespace& where, const std::string& name, const Secret<32>& own,
               const Secret<32>& other, const std::string& allowed, const std::string& more) {
        ends_.push_back(std::make_unique<End>(where, Tunnel::Settings{name, GetParam().offloads, folder_.path()}));
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
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(0x0a090000U | host);
        return address;
    }
    static void bind_to(const sys::Fd& socket, std::uint8_t host, std::uint16_t port) {
        const auto address = inner(host, port);
        ASSERT_EQ(::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    }

    std::optional<sys::NetworkNamespace> left_;
    std::optional<sys::NetworkNamespace> right_;
    TemporaryDirectory folder_;
    crypto::SystemRng rng_;
    std::vector<std::unique_ptr<End>> ends_;
};

Bytes pattern(std::size_t size, std::uint8_t first) {
    Bytes bytes(size);
    std::iota(bytes.begin(), bytes.end(), first);
    return bytes;
}

TEST_P(TunnelTest, DatagramsOfEverySizeArriveAsTheyWere) {
    connect();
    const auto sender = inner_socket(*left_, SOCK_DGRAM);
    const auto receiver = inner_socket(*right_, SOCK_DGRAM);
    bind_to(receiver, 2, 7'000);
    const auto to = inner(2, 7'000);
    Bytes buffer(70'000);
    for (const std::size_t size : {1U, 15U, 16U, 17U, 100U, 1'391U, 1'392U, 1'393U, 9'000U, 60'000U}) {
        const auto sent = pattern(size, static_cast<std::uint8_t>(size));
        ASSERT_EQ(
            ::sendto(sender.get(), sent.data(), sent.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to),
            static_cast<ssize_t>(size));
        const auto received = ::recv(receiver.get(), buffer.data(), buffer.size(), 0);
        ASSERT_EQ(received, static_cast<ssize_t>(size));
        EXPECT_TRUE(std::equal(sent.begin(), sent.end(), buffer.begin())) << size;
    }
}

TEST_P(TunnelTest, AStreamArrivesWholeBothWaysAtOnce) {
    connect();
    constexpr std::size_t kBytes = 8 << 20;
    const auto listener = inner_socket(*right_, SOCK_STREAM);
    bind_to(listener, 2, 7'001);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    const auto client = inner_socket(*left_, SOCK_STREAM);
    const auto to = inner(2, 7'001);
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    const sys::Fd server(::accept(listener.get(), nullptr, nullptr));
    ASSERT_TRUE(server.valid());
    const auto send_all = [](int fd, std::uint8_t first) {
        const auto bytes = pattern(kBytes, first);
        for (std::size_t at = 0; at < bytes.size();) {
            const auto size = ::send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
            if (size <= 0) return;
            at += static_cast<std::size_t>(size);
        }
    };
    const auto receive_all = [](int fd, std::uint8_t first) {
        ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
        Bytes bytes(kBytes);
        for (std::size_t at = 0; at < bytes.size();) {
            const auto size = ::recv(fd, bytes.data() + at, bytes.size() - at, 0);
            if (size <= 0) return false;
            at += static_cast<std::size_t>(size);
        }
        return bytes == pattern(kBytes, first);
    };
    std::thread down([&] { send_all(server.get(), 3); });
    std::thread up([&] { send_all(client.get(), 9); });
    auto at_server = std::async(std::launch::async, [&] { return receive_all(server.get(), 9); });
    EXPECT_TRUE(receive_all(client.get(), 3));
    EXPECT_TRUE(at_server.get());
    down.join();
    up.join();
}

TEST_P(TunnelTest, RubbishGetsNoAnswerAndDoesNoHarm) {
    connect();
    const auto stranger = left_->run(
        []() -> Result<sys::Fd> { return sys::Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)); });
    ASSERT_TRUE(stranger);
    sockaddr_in to = inner(2, 51'820);
    to.sin_addr.s_addr = htonl(0x0b000002U);
    for (std::size_t i = 0; i < 500; ++i) {
        auto bytes = pattern(i * 7 % 1'400, static_cast<std::uint8_t>(i));
        if (!bytes.empty()) bytes[0] = static_cast<std::uint8_t>(i % 6);
        if (bytes.size() > 3) bytes[1] = bytes[2] = bytes[3] = 0;
        std::ignore =
            ::sendto(stranger->get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
    const auto sender = inner_socket(*left_, SOCK_DGRAM);
    const auto receiver = inner_socket(*right_, SOCK_DGRAM);
    bind_to(receiver, 2, 7'000);
    const auto inside = inner(2, 7'000);
    ASSERT_EQ(::sendto(sender.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&inside), sizeof inside), 1);
    std::array<char, 8> buffer{};
    EXPECT_EQ(::recv(receiver.get(), buffer.data(), buffer.size(), 0), 1) << "all that came before it was handled";
    EXPECT_EQ(::recv(stranger->get(), buffer.data(), buffer.size(), 0), -1);
}

TEST_P(TunnelTest, WgSeesWhatItHasSet) {
    connect();
    const auto& left = *ends_.front();
    const auto status = left.status();
    EXPECT_THAT(status, HasSubstr("listen_port=51820\n"));
    EXPECT_THAT(status, HasSubstr("allowed_ip=10.9.0.2/32\n"));
    EXPECT_THAT(status, HasSubstr(GetParam().v6 ? "endpoint=[fd00::2]:51820\n" : "endpoint=11.0.0.2:51820\n"));
    EXPECT_THAT(left.ask("set=1\nlisten_port=nonsense\n\n"), HasSubstr("errno="));
    EXPECT_THAT(left.ask("set=1\nlisten_port=51821\n\n"), HasSubstr("errno=0\n"));
    EXPECT_THAT(left.status(), HasSubstr("listen_port=51821\n"));
    struct stat state {};
    ASSERT_EQ(::stat(left.socket_path().c_str(), &state), 0);
    EXPECT_EQ(state.st_mode & 0777U, 0600U);
    End second(*right_, {"left", {}, folder_.path()});
    EXPECT_EQ(second.start().error().code, ErrorCode::already_exists);
    ends_.front()->stop();
}

/// A right end with a second address, which is the one that the left end speaks to.
TEST_P(TunnelTest, AnswersComeFromTheAddressThatWasAsked) {
    ASSERT_TRUE(with_address(*right_, true));
    connect();
    const std::string second = GetParam().v6 ? "endpoint=[fd00::3]:51820\n" : "endpoint=11.0.0.3:51820\n";
    const std::string first = GetParam().v6 ? "endpoint=[fd00::2]:51820\n" : "endpoint=11.0.0.2:51820\n";
    const auto& left = *ends_.front();
    const auto key = left.status().substr(left.status().find("public_key="), 76);
    ASSERT_EQ(left.ask("set=1\n" + key + second + "\n"), "errno=0\n\n");
    const auto at_left = inner_socket(*left_, SOCK_DGRAM);
    const auto at_right = inner_socket(*right_, SOCK_DGRAM);
    bind_to(at_left, 1, 7'000);
    bind_to(at_right, 2, 7'000);
    const auto pass = [](const sys::Fd& from, const sys::Fd& to, std::uint8_t host) {
        const auto where = inner(host, 7'000);
        char byte = 'x';
        return ::sendto(from.get(), &byte, 1, 0, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 1 &&
               ::recv(to.get(), &byte, 1, 0) == 1;
    };
    ASSERT_TRUE(pass(at_left, at_right, 2));
    ASSERT_TRUE(pass(at_right, at_left, 1));
    EXPECT_THAT(left.status(), HasSubstr(second)) << "an answer from elsewhere would have moved it";

    ASSERT_TRUE(with_address(*right_, false));
    ASSERT_TRUE(pass(at_right, at_left, 1)) << "leaves from the address that is left";
    EXPECT_THAT(left.status(), HasSubstr(first));
    ASSERT_TRUE(pass(at_left, at_right, 2));
}

INSTANTIATE_TEST_SUITE_P(Offloads, TunnelTest,
                         ::testing::Values(Case{"all", {true, true, true}, false},
                                           Case{"allV6", {true, true, true}, true},
                                           Case{"none", {false, false, false}, false},
                                           Case{"tunOnly", {true, false, false}, false},
                                           Case{"udpOnly", {false, true, true}, true},
                                           Case{"shortTail", {true, true, true, true, true, false}, false}),
                         [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace myst::dataplane
