// Two interfaces of ours in network namespaces of the test's own. Needs root and /dev/net/tun.
#include "myst/dataplane/tunnel.hpp"

#include <sys/stat.h>

#include <gmock/gmock.h>

#include "myst/dataplane/test_support/tunnel_ends.hpp"

namespace myst::dataplane {
namespace {

using test::End;
using test::kPatience;
using test::pattern;
using test::receive_all;
using test::send_all;
using ::testing::HasSubstr;

struct Case {
    const char* name;
    Offloads offloads;
    bool v6;  ///< outside
};

class TunnelTest : public test::TunnelEnds, public ::testing::WithParamInterface<Case> {
protected:
    void SetUp() override {
        offloads = GetParam().offloads;
        outside_v6 = GetParam().v6;
        TunnelEnds::SetUp();
    }
};

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
    const auto listener = inner_socket(*right_, SOCK_STREAM);
    bind_to(listener, 2, 7'001);
    ASSERT_EQ(::listen(listener.get(), 1), 0);
    const auto client = inner_socket(*left_, SOCK_STREAM);
    const auto to = inner(2, 7'001);
    ASSERT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    const sys::Fd server(::accept(listener.get(), nullptr, nullptr));
    ASSERT_TRUE(server.valid());
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
    constexpr std::array<std::size_t, 6> kWhole{0, 148, 92, 64, 32, 0};  // of messages of this type
    for (std::size_t i = 0; i < 500; ++i) {
        const auto size = i % 2 == 0 ? kWhole[i / 2 % kWhole.size()] : i * 7 % 1'400;
        auto bytes = pattern(size, static_cast<std::uint8_t>(i));
        if (!bytes.empty()) bytes[0] = static_cast<std::uint8_t>(i / 2 % kWhole.size());
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

TEST_P(TunnelTest, APortThatIsTakenIsRefusedAndTheOldOneStays) {
    connect();
    const auto taken = left_->run([] { return sys::UdpSocket::open(sys::IpFamily::v4, 0, {}); });
    ASSERT_TRUE(taken);
    const auto& left = *ends_.front();
    EXPECT_EQ(left.ask("set=1\nlisten_port=" + std::to_string(taken->port()) + "\n\n"),
              "errno=" + std::to_string(-EADDRINUSE) + "\n\n");
    EXPECT_THAT(left.status(), HasSubstr("listen_port=51820\n"));
}

TEST_P(TunnelTest, WgSeesWhatItHasSet) {
    connect();
    const auto& left = *ends_.front();
    const auto status = left.status();
    EXPECT_THAT(status, HasSubstr("listen_port=51820\n"));
    EXPECT_THAT(status, HasSubstr("allowed_ip=10.9.0.2/32\n"));
    EXPECT_THAT(status, HasSubstr(outside_v6 ? "endpoint=[fd00::2]:51820\n" : "endpoint=11.0.0.2:51820\n"));
    EXPECT_EQ(left.ask("set=1\nlisten_port=nonsense\n\n"), "errno=-22\n\n");
    EXPECT_THAT(left.ask("set=1\nlisten_port=51821\n\n"), HasSubstr("errno=0\n"));
    EXPECT_THAT(left.status(), HasSubstr("listen_port=51821\n"));
    struct stat state {};
    ASSERT_EQ(::stat(left.socket_path().c_str(), &state), 0);
    EXPECT_EQ(state.st_mode & 0777U, 0600U);
    End second(*right_, {"left", {}, folder_.path()});
    EXPECT_EQ(second.start().error().code, ErrorCode::already_exists);
    ends_.front()->stop();
}

/// What a socket that sends a datagram to a place inside that is nobody's hears.
template <class Address>
int error_heard(const sys::Fd& socket, int level, int option, const Address& to) {
    const int on = 1;
    ::setsockopt(socket.get(), level, option, &on, sizeof on);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return errno;
    char byte = 'x';
    if (::send(socket.get(), &byte, 1, 0) != 1) return errno;
    return ::recv(socket.get(), &byte, 1, 0) < 0 ? errno : 0;
}

TEST_P(TunnelTest, WhoSendsToNobodyIsTold) {
    connect();
    const auto v4 = inner_socket(*left_, SOCK_DGRAM);
    EXPECT_EQ(error_heard(v4, IPPROTO_IP, IP_RECVERR, inner(77, 7'000)), EHOSTUNREACH);
    const auto v6 = left_->run([]() -> Result<sys::Fd> { return sys::Fd(::socket(AF_INET6, SOCK_DGRAM, 0)); }).value();
    sockaddr_in6 to{};
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(7'000);
    to.sin6_addr.s6_addr[0] = 0xfd;
    to.sin6_addr.s6_addr[1] = 0x09;
    to.sin6_addr.s6_addr[15] = 0x77;
    EXPECT_EQ(error_heard(v6, IPPROTO_IPV6, IPV6_RECVERR, to), EHOSTUNREACH);
}

/// A right end with a second address, which is the one that the left end speaks to.
TEST_P(TunnelTest, AnswersComeFromTheAddressThatWasAsked) {
    ASSERT_TRUE(with_address(*right_, true));
    connect();
    const std::string second = outside_v6 ? "endpoint=[fd00::3]:51820\n" : "endpoint=11.0.0.3:51820\n";
    const std::string first = outside_v6 ? "endpoint=[fd00::2]:51820\n" : "endpoint=11.0.0.2:51820\n";
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
