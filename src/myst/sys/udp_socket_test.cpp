#include "myst/sys/udp_socket.hpp"

#include <poll.h>

#include <numeric>

#include <gmock/gmock.h>

namespace myst::sys {
namespace {

using ::testing::Each;
using ::testing::ElementsAreArray;
using ::testing::Eq;

class UdpSocketTest : public ::testing::TestWithParam<std::tuple<IpFamily, bool, bool>> {
protected:
    UdpSocketTest() {
        UdpOptions options;
        options.segment_out = std::get<1>(GetParam());
        options.segment_in = std::get<2>(GetParam());
        sender.emplace(UdpSocket::open(family(), 0, options).value());
        receiver.emplace(UdpSocket::open(family(), 0, options).value());
        to = loopback(family(), receiver->port());
    }
    static SocketAddress loopback(IpFamily family, std::uint16_t port) {
        if (family == IpFamily::v4) return {Bytes{127, 0, 0, 1}, port};
        return {Bytes{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, port};
    }
    static IpFamily family() { return std::get<0>(GetParam()); }

    /// Datagrams until so many bytes have come.
    std::vector<Bytes> datagrams(std::size_t bytes) {
        std::vector<Bytes> result;
        std::array<Bytes, 4> buffers;
        while (bytes > 0) {
            pollfd waiting{receiver->fd(), POLLIN, 0};
            if (::poll(&waiting, 1, 10'000) != 1) return result;
            std::array<UdpMessage, 4> messages;
            for (std::size_t i = 0; i < messages.size(); ++i) {
                buffers[i].resize(65'536);
                messages[i].bytes = buffers[i];
            }
            const auto count = receiver->receive(messages).value();
            for (std::size_t i = 0; i < count; ++i) {
                const auto& message = messages[i];
                EXPECT_EQ(message.peer.port(), sender->port());
                const std::size_t step = message.segment == 0 ? message.bytes.size() : message.segment;
                for (std::size_t at = 0; at < message.bytes.size(); at += step) {
                    const auto part = message.bytes.subspan(at, std::min(step, message.bytes.size() - at));
                    result.emplace_back(part.begin(), part.end());
                }
                bytes -= std::min(bytes, message.bytes.size());
            }
        }
        return result;
    }

    std::optional<UdpSocket> sender;
    std::optional<UdpSocket> receiver;
    SocketAddress to;
};

TEST_P(UdpSocketTest, SegmentsArriveAsTheDatagramsTheyAre) {
    Bytes bytes(10 * 1'000 + 17);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
    Bytes single{1, 2, 3};
    const std::vector<UdpMessage> messages{{to, bytes, 1'000}, {to, single, 0}};
    EXPECT_EQ(sender->send(messages).value(), bytes.size() + single.size());
    std::vector<Bytes> expected;
    for (std::size_t at = 0; at < bytes.size(); at += 1'000) {
        const auto end = std::min(at + 1'000, bytes.size());
        expected.emplace_back(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                              bytes.begin() + static_cast<std::ptrdiff_t>(end));
    }
    expected.push_back(single);
    EXPECT_THAT(datagrams(bytes.size() + single.size()), ElementsAreArray(expected));
}

TEST_P(UdpSocketTest, NothingThereIsNoError) {
    std::array<UdpMessage, 1> message;
    Bytes buffer(65'536);
    message[0].bytes = buffer;
    EXPECT_EQ(receiver->receive(message).value(), 0U);
}

TEST_P(UdpSocketTest, WhatFindsNoWayIsLostAndTheRestGoesOn) {
    Bytes bytes(100);
    const auto nowhere = loopback(family() == IpFamily::v4 ? IpFamily::v6 : IpFamily::v4, 9);
    const std::vector<UdpMessage> messages{{nowhere, bytes, 0}, {to, bytes, 0}};
    EXPECT_EQ(sender->send(messages).value(), bytes.size());
    EXPECT_THAT(datagrams(bytes.size()), ElementsAreArray({bytes}));
}

TEST_P(UdpSocketTest, APortThatIsTakenIsSaid) {
    const auto second = UdpSocket::open(family(), receiver->port());
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::already_exists);
}

INSTANTIATE_TEST_SUITE_P(Families, UdpSocketTest,
                         ::testing::Combine(::testing::Values(IpFamily::v4, IpFamily::v6), ::testing::Bool(),
                                            ::testing::Bool()));

}  // namespace
}  // namespace myst::sys
