#include "myst/sys/udp_socket.hpp"

#include <poll.h>

#include <numeric>

#include <gmock/gmock.h>

#include "myst/sys/netns.hpp"

namespace myst::sys {
namespace {

using ::testing::ElementsAreArray;

class UdpSocketTest : public ::testing::TestWithParam<std::tuple<IpFamily, bool, bool>> {
protected:
    UdpSocketTest() {
        options.segment_out = std::get<1>(GetParam());
        options.segment_in = std::get<2>(GetParam());
        open_sockets();
    }
    void open_sockets() {
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
                last = message;
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

    UdpOptions options;
    std::optional<UdpSocket> sender;
    std::optional<UdpSocket> receiver;
    SocketAddress to;
    UdpMessage last;  ///< that was received
};

std::vector<Bytes> cut(const Bytes& bytes, std::size_t step) {
    std::vector<Bytes> parts;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        const auto part = BytesView(bytes).subspan(at, std::min(step, bytes.size() - at));
        parts.emplace_back(part.begin(), part.end());
    }
    return parts;
}

Bytes counting(std::size_t size) {
    Bytes bytes(size);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
    return bytes;
}

DatagramSource source(BytesView address) {
    DatagramSource result;
    std::copy(address.begin(), address.end(), result.address.begin());
    return result;
}

TEST_P(UdpSocketTest, SegmentsArriveAsTheDatagramsTheyAre) {
    auto bytes = counting(10 * 1'000 + 17);
    Bytes single{1, 2, 3};
    const std::vector<UdpMessage> messages{{to, bytes, 1'000}, {to, single, 0}};
    EXPECT_EQ(sender->send(messages).value(), bytes.size() + single.size());
    auto expected = cut(bytes, 1'000);
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

TEST_P(UdpSocketTest, AnAnswerLeavesFromWhereTheQuestionCameTo) {
    Bytes bytes = counting(2'500);
    if (family() == IpFamily::v4) to = {Bytes{127, 0, 0, 5}, receiver->port()};
    const std::vector<UdpMessage> question{{to, bytes, 0}};
    EXPECT_EQ(sender->send(question).value(), bytes.size());
    EXPECT_THAT(datagrams(bytes.size()), ElementsAreArray({bytes}));
    EXPECT_EQ(last.source, source(to.address()));
    const std::vector<UdpMessage> answer{{last.peer, bytes, 1'000, last.source}};
    std::swap(sender, receiver);
    EXPECT_EQ(sender->send(answer).value(), bytes.size());
    EXPECT_THAT(datagrams(bytes.size()), ElementsAreArray(cut(bytes, 1'000)));
    EXPECT_EQ(last.peer, to);
    EXPECT_TRUE(sender->take_lost_sources().empty());
}

TEST_P(UdpSocketTest, ASourceThatIsNotOursIsForgotten) {
    Bytes bytes = counting(2'500);
    const auto gone = family() == IpFamily::v4 ? source(Bytes{192, 0, 2, 9})
                                               : source(Bytes{0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9});
    const std::vector<UdpMessage> messages{{to, bytes, 1'000, gone}, {to, bytes, 0, gone}};
    EXPECT_EQ(sender->send(messages).value(), 2 * bytes.size());
    auto expected = cut(bytes, 1'000);
    expected.push_back(bytes);
    EXPECT_THAT(datagrams(2 * bytes.size()), ElementsAreArray(expected));
    EXPECT_THAT(sender->take_lost_sources(), ElementsAreArray({gone}));
    EXPECT_TRUE(sender->take_lost_sources().empty());
}

TEST_P(UdpSocketTest, SegmentsLargerThanTheWayTakesArriveAll) {
    const auto network = NetworkNamespace::create();
    if (!network) GTEST_SKIP() << network.error().describe();
    const auto ready = network->run([this]() -> Result<> {
        auto links = Netlink::open();
        if (!links) return forward_error(links);
        auto loopback = links->link("lo");
        if (!loopback) return forward_error(loopback);
        if (auto done = links->set_mtu(loopback->index, 1'280); !done) return done;
        if (auto done = links->set_up(loopback->index); !done) return done;
        open_sockets();
        return {};
    });
    ASSERT_TRUE(ready) << ready.error().describe();
    Bytes bytes = counting(7'000);
    for (int repeated = 0; repeated < 2; ++repeated) {
        const std::vector<UdpMessage> messages{{to, bytes, 1'400, source(to.address())}};
        EXPECT_EQ(sender->send(messages).value(), bytes.size());
        EXPECT_THAT(datagrams(bytes.size()), ElementsAreArray(cut(bytes, 1'400)));
    }
    EXPECT_TRUE(sender->take_lost_sources().empty()) << "it was not the source's fault";
}

TEST_P(UdpSocketTest, AShortTailEndsEqualSegmentsWhereItIsWanted) {
    options.equal_tail = false;
    open_sockets();
    const bool joins = options.segment_out;
    for (const std::size_t segments : {2U, 63U, 64U}) {
        Bytes bytes = counting(segments * 100);
        const std::vector<UdpMessage> messages{{to, bytes, 100}};
        EXPECT_EQ(sender->send(messages).value(), bytes.size());
        auto expected = cut(bytes, 100);
        const bool tail = joins && segments < 64;  // beyond, there is no room for it, and they go one by one
        if (tail) expected.push_back({0});
        EXPECT_THAT(datagrams(bytes.size() + (tail ? 1 : 0)), ElementsAreArray(expected)) << segments;
    }
    Bytes uneven = counting(250);
    const std::vector<UdpMessage> messages{{to, uneven, 100}};
    EXPECT_EQ(sender->send(messages).value(), uneven.size());
    EXPECT_THAT(datagrams(uneven.size()), ElementsAreArray(cut(uneven, 100)));
}

INSTANTIATE_TEST_SUITE_P(Families, UdpSocketTest,
                         ::testing::Combine(::testing::Values(IpFamily::v4, IpFamily::v6), ::testing::Bool(),
                                            ::testing::Bool()));

}  // namespace
}  // namespace myst::sys
