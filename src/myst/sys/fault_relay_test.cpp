// The relay does what it is asked to, as often as it is asked to, and nothing else.
#include "myst/sys/test_support/fault_relay.hpp"

#include <array>
#include <bit>
#include <functional>
#include <random>

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "myst/base/bytes.hpp"
#include "myst/sys/task_test.hpp"

namespace myst::sys::testing {
namespace {

using asio::ip::tcp;
using asio::ip::udp;

constexpr std::chrono::seconds kPatience{20};

/// Lets the context work until `done`; false if that takes too long.
bool run_until(asio::io_context& context, const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    context.restart();
    while (!done()) {
        if (context.run_one_until(deadline) == 0) return false;
    }
    return true;
}

int different_bits(const Bytes& a, const Bytes& b) {
    int bits = 0;
    for (std::size_t i = 0; i < a.size(); ++i) bits += std::popcount(static_cast<unsigned>(a[i] ^ b[i]));
    return bits;
}

// ---- datagrams -----------------------------------------------------------------------------------------------------

constexpr std::uint32_t kDatagrams = 3'000;
constexpr unsigned kOften = 200;  // in a thousand: 600 of them, give or take 110 (five standard deviations)

class DatagramRelayTest : public ::testing::Test {
protected:
    ~DatagramRelayTest() override { drain(context_); }

    static Bytes datagram(std::uint32_t number) {
        Bytes content(64);
        std::mt19937_64 random(number);
        for (auto& byte : content) byte = static_cast<std::uint8_t>(random());
        return content;
    }
    /// Sends `count` datagrams through a relay of these faults and collects what arrives.
    std::vector<Bytes> send(const DatagramFaults& faults, std::uint32_t count = kDatagrams, std::uint64_t seed = 1) {
        udp::socket target(context_, loopback());
        udp::socket source(context_, loopback());
        DatagramRelay relay(context_, target.local_endpoint(), seed);
        relay.set_faults(Way::forth, faults);
        std::vector<Bytes> arrived;
        asio::co_spawn(context_, collect(target, arrived), [](const std::exception_ptr&) {});
        const auto send_one = [&](std::uint32_t number) {
            source.send_to(asio::buffer(datagram(number)), relay.endpoint());
            // One at a time: the kernel's buffers have no room for all of them, and drop the rest.
            return run_until(context_, [&] {
                const auto& counters = relay.counters(Way::forth);
                return counters.arrived > number && counters.forwarded == arrived.size();
            });
        };
        for (std::uint32_t i = 0; i < count; ++i) EXPECT_TRUE(send_one(i)) << i;
        counters_ = relay.counters(Way::forth);
        relay.set_faults(Way::forth, {});
        EXPECT_TRUE(send_one(count));  // for one that may wait for another
        const auto expected = count - counters_.lost + counters_.duplicated + 1;
        EXPECT_TRUE(run_until(context_, [&] { return arrived.size() == expected; }));
        std::erase(arrived, datagram(count));
        boost::system::error_code ignored;
        target.close(ignored);
        drain_ready();
        return arrived;
    }
    void drain_ready() {
        context_.restart();
        context_.poll();
    }
    static Task<> collect(udp::socket& target, std::vector<Bytes>& arrived) {
        Bytes buffer(2'000);
        for (;;) {
            const auto [ec, size] = co_await target.async_receive(asio::buffer(buffer), no_throw);
            if (ec) co_return;
            arrived.emplace_back(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
        }
    }
    static udp::endpoint loopback() { return {asio::ip::address_v4::loopback(), 0}; }
    void expect_only(std::uint64_t DatagramCounters::*fault) {
        for (const auto other : {&DatagramCounters::lost, &DatagramCounters::duplicated, &DatagramCounters::reordered,
                                 &DatagramCounters::flipped}) {
            if (other == fault) {
                EXPECT_GE(counters_.*other, 490U);
                EXPECT_LE(counters_.*other, 710U);
            } else {
                EXPECT_EQ(counters_.*other, 0U);
            }
        }
    }

    asio::io_context context_;
    DatagramCounters counters_;
};

TEST_F(DatagramRelayTest, WithoutFaultsAllArriveInOrder) {
    const auto arrived = send({});
    ASSERT_EQ(arrived.size(), kDatagrams);
    for (std::uint32_t i = 0; i < kDatagrams; ++i) ASSERT_EQ(arrived[i], datagram(i)) << i;
    expect_only(nullptr);
}

TEST_F(DatagramRelayTest, LosesAsManyAsAskedForAndKeepsTheOthersInOrder) {
    const auto arrived = send({.loss = kOften});
    expect_only(&DatagramCounters::lost);
    ASSERT_EQ(arrived.size(), kDatagrams - counters_.lost);
    std::uint32_t number = 0;
    for (const auto& content : arrived) {
        while (number < kDatagrams && datagram(number) != content) ++number;
        ASSERT_LT(number++, kDatagrams) << "altered, or out of order";
    }
}

TEST_F(DatagramRelayTest, DoublesAsManyAsAskedFor) {
    const auto arrived = send({.duplicate = kOften});
    expect_only(&DatagramCounters::duplicated);
    ASSERT_EQ(arrived.size(), kDatagrams + counters_.duplicated);
    std::size_t at = 0;
    for (std::uint32_t i = 0; i < kDatagrams; ++i) {
        ASSERT_EQ(arrived.at(at++), datagram(i)) << i;
        if (at < arrived.size() && arrived[at] == datagram(i)) ++at;
    }
    EXPECT_EQ(at, arrived.size()) << "twice, not more often";
}

TEST_F(DatagramRelayTest, LetsAsManyBeOvertakenAsAskedFor) {
    auto arrived = send({.reorder = kOften});
    // One that waits goes with the next: a second one cannot be held back then.
    EXPECT_GE(counters_.reordered, 390U);
    EXPECT_LE(counters_.reordered, 610U);
    ASSERT_EQ(arrived.size(), kDatagrams);
    std::uint64_t swapped = 0;
    for (std::uint32_t i = 0; i < kDatagrams; ++i) {
        if (arrived[i] == datagram(i)) continue;
        ASSERT_LT(i + 1, kDatagrams);
        std::swap(arrived[i], arrived[i + 1]);
        ASSERT_EQ(arrived[i], datagram(i)) << i;
        ++swapped;
    }
    EXPECT_EQ(swapped, counters_.reordered);
}

TEST_F(DatagramRelayTest, FlipsOneBitOfAsManyAsAskedFor) {
    const auto arrived = send({.bit_flip = kOften});
    expect_only(&DatagramCounters::flipped);
    ASSERT_EQ(arrived.size(), kDatagrams);
    std::uint64_t altered = 0;
    for (std::uint32_t i = 0; i < kDatagrams; ++i) {
        const int bits = different_bits(arrived[i], datagram(i));
        ASSERT_LE(bits, 1) << i;
        altered += static_cast<std::uint64_t>(bits);
    }
    EXPECT_EQ(altered, counters_.flipped);
}

TEST_F(DatagramRelayTest, TheSeedDecidesWhatIsHit) {
    const DatagramFaults all{kOften, kOften, kOften, kOften};
    const auto first = send(all, 500, 7);
    EXPECT_EQ(send(all, 500, 7), first);
    EXPECT_NE(send(all, 500, 8), first);
}

TEST_F(DatagramRelayTest, OneChanceDoesNotChangeWhatTheOthersHit) {
    std::ignore = send({.loss = kOften}, 500);
    const auto lost = counters_.lost;
    std::ignore = send({kOften, kOften, kOften, kOften, milliseconds(0), milliseconds(1)}, 500);
    EXPECT_EQ(counters_.lost, lost);
}

TEST_F(DatagramRelayTest, DelayAndJitterKeepTheOrder) {
    const auto before = std::chrono::steady_clock::now();
    const auto arrived = send({.delay = milliseconds(30), .jitter = milliseconds(20)}, 50);
    EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(30));
    ASSERT_EQ(arrived.size(), 50U);
    for (std::uint32_t i = 0; i < 50; ++i) EXPECT_EQ(arrived[i], datagram(i)) << i;
}

TEST_F(DatagramRelayTest, AnswersGoBackToWhoeverAsked) {
    udp::socket target(context_, loopback());
    DatagramRelay relay(context_, target.local_endpoint(), 1);
    relay.set_faults(Way::forth, {.duplicate = 1'000});
    std::array<udp::socket, 2> sources{udp::socket(context_, loopback()), udp::socket(context_, loopback())};
    for (std::size_t i = 0; i < 2; ++i) {
        const Bytes question(1, static_cast<std::uint8_t>(i));
        sources[i].send_to(asio::buffer(question), relay.endpoint());
    }
    ASSERT_TRUE(run_until(context_, [&] { return relay.counters(Way::forth).forwarded == 4; }));
    for (int i = 0; i < 4; ++i) {
        Bytes question(1);
        udp::endpoint from;
        target.receive_from(asio::buffer(question), from);
        target.send_to(asio::buffer(question), from);
    }
    ASSERT_TRUE(run_until(context_, [&] { return relay.counters(Way::back).forwarded == 4; }));
    for (std::size_t i = 0; i < 2; ++i) {
        Bytes answer(1);
        EXPECT_EQ(sources[i].receive(asio::buffer(answer)), 1U);
        EXPECT_EQ(answer[0], i);
    }
    EXPECT_EQ(relay.counters(Way::back).duplicated, 0U) << "each way has faults of its own";
}

// ---- streams -------------------------------------------------------------------------------------------------------

class StreamRelayTest : public ::testing::Test {
protected:
    StreamRelayTest() : listener_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}
    ~StreamRelayTest() override { drain(context_); }

    static Bytes content(std::size_t size) {
        Bytes all(size);
        std::mt19937_64 random(size);
        for (auto& byte : all) byte = static_cast<std::uint8_t>(random());
        return all;
    }
    /// Two ends with the relay between them.
    struct Ends {
        tcp::socket client;
        tcp::socket target;
    };
    Ends connect(StreamRelay& relay) {
        Ends ends{tcp::socket(context_), tcp::socket(context_)};
        int done = 0;
        listener_.async_accept(ends.target, [&](const boost::system::error_code& ec) { done += ec ? 0 : 1; });
        ends.client.async_connect(relay.endpoint(), [&](const boost::system::error_code& ec) { done += ec ? 0 : 1; });
        EXPECT_TRUE(run_until(context_, [&] { return done == 2; }));
        return ends;
    }
    /// What arrives at `to` while `from` sends all of it and finishes.
    Bytes transfer(tcp::socket& from, tcp::socket& to, Bytes all) {
        Bytes arrived;
        bool ended = false;
        asio::co_spawn(context_, send_all(from, std::move(all)), [](const std::exception_ptr&) {});
        asio::co_spawn(context_, receive_all(to, arrived), [&](const std::exception_ptr&) { ended = true; });
        EXPECT_TRUE(run_until(context_, [&] { return ended; }));
        return arrived;
    }
    static Task<> send_all(tcp::socket& socket, Bytes all) {
        const auto [ec, size] = co_await asio::async_write(socket, asio::buffer(all), no_throw);
        boost::system::error_code ignored;
        if (!ec) socket.shutdown(tcp::socket::shutdown_send, ignored);
    }
    static Task<> receive_all(tcp::socket& socket, Bytes& arrived) {
        Bytes buffer(4'096);
        for (;;) {
            const auto [ec, size] = co_await socket.async_read_some(asio::buffer(buffer), no_throw);
            arrived.insert(arrived.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(size));
            if (ec) co_return;
        }
    }
    /// A fresh connection with these faults on the way forth.
    Bytes send(const StreamFaults& faults, const Bytes& all, std::uint64_t seed = 1) {
        StreamRelay relay(context_, listener_.local_endpoint(), seed);
        relay.set_faults(Way::forth, faults);
        auto ends = connect(relay);
        auto arrived = transfer(ends.client, ends.target, all);
        counters_ = relay.counters(Way::forth);
        return arrived;
    }

    asio::io_context context_;
    tcp::acceptor listener_;
    StreamCounters counters_;
};

TEST_F(StreamRelayTest, WithoutFaultsEverythingPassesBothWays) {
    StreamRelay relay(context_, listener_.local_endpoint(), 1);
    auto ends = connect(relay);
    const auto all = content(300'000);
    EXPECT_EQ(transfer(ends.client, ends.target, all), all);
    EXPECT_EQ(transfer(ends.target, ends.client, all), all) << "one way ends, the other does not";
    for (const auto way : {Way::forth, Way::back}) {
        EXPECT_EQ(relay.counters(way).bytes, all.size());
        EXPECT_EQ(relay.counters(way).flipped + relay.counters(way).cut, 0U);
    }
    EXPECT_EQ(relay.connections(), 1U);
}

TEST_F(StreamRelayTest, FlipsAsManyBitsAsAskedForWhateverThePieces) {
    const auto all = content(200'000);
    const auto arrived = send({.bit_flips = 1'000}, all);
    ASSERT_EQ(arrived.size(), all.size());
    EXPECT_EQ(different_bits(arrived, all), static_cast<int>(counters_.flipped));
    EXPECT_GE(counters_.flipped, 130U);  // 200, give or take five standard deviations
    EXPECT_LE(counters_.flipped, 270U);
    EXPECT_EQ(send({.piece = 1'001, .bit_flips = 1'000}, all), arrived);
    EXPECT_NE(send({.bit_flips = 1'000}, all, 2), arrived);
}

TEST_F(StreamRelayTest, CutsAfterExactlySoManyBytes) {
    const auto all = content(10'000);
    const auto arrived = send({.cut_after = 4'321}, all);
    EXPECT_EQ(arrived, Bytes(all.begin(), all.begin() + 4'321));
    EXPECT_EQ(counters_.cut, 1U);
    EXPECT_EQ(counters_.bytes, 4'321U);
}

TEST_F(StreamRelayTest, CutClosesWhatIsOpenAndTakesNewConnections) {
    StreamRelay relay(context_, listener_.local_endpoint(), 1);
    auto before = connect(relay);
    relay.cut();
    Bytes nothing;
    int ended = 0;
    for (auto* socket : {&before.client, &before.target}) {
        asio::co_spawn(context_, receive_all(*socket, nothing), [&](const std::exception_ptr&) { ++ended; });
    }
    ASSERT_TRUE(run_until(context_, [&] { return ended == 2; }));
    EXPECT_TRUE(nothing.empty());
    auto after = connect(relay);
    const auto all = content(100);
    EXPECT_EQ(transfer(after.client, after.target, all), all);
}

TEST_F(StreamRelayTest, ABlackHoleKeepsTheConnectionAndWhatWasSent) {
    StreamRelay relay(context_, listener_.local_endpoint(), 1);
    auto ends = connect(relay);
    relay.set_faults(Way::forth, {.black_hole = true});
    const auto all = content(50'000);
    Bytes arrived;
    bool ended = false;
    asio::co_spawn(context_, send_all(ends.client, all), [](const std::exception_ptr&) {});
    asio::co_spawn(context_, receive_all(ends.target, arrived), [&](const std::exception_ptr&) { ended = true; });
    context_.restart();
    context_.run_for(milliseconds(50));
    EXPECT_TRUE(arrived.empty());
    EXPECT_FALSE(ended);
    relay.set_faults(Way::forth, {});
    ASSERT_TRUE(run_until(context_, [&] { return ended; }));
    EXPECT_EQ(arrived, all);
}

TEST_F(StreamRelayTest, SmallPiecesWithADelayAreANarrowLine) {
    const auto all = content(200);
    const auto before = std::chrono::steady_clock::now();
    EXPECT_EQ(send({.delay = milliseconds(2), .jitter = milliseconds(1), .piece = 10}, all), all);
    EXPECT_GE(std::chrono::steady_clock::now() - before, milliseconds(40));
    EXPECT_GE(counters_.pieces, 20U);
}

TEST_F(StreamRelayTest, FaultsThatChangeUnderwayLoseNothing) {
    StreamRelay relay(context_, listener_.local_endpoint(), 1);
    auto ends = connect(relay);
    const auto all = content(100'000);
    Bytes arrived;
    bool ended = false;
    asio::co_spawn(context_, send_all(ends.client, all), [](const std::exception_ptr&) {});
    asio::co_spawn(context_, receive_all(ends.target, arrived), [&](const std::exception_ptr&) { ended = true; });
    for (const std::size_t piece : {1U, 5'000U, 3U, 10'000U, 2U, 16'384U}) {
        const auto before = relay.counters(Way::forth).pieces;
        ASSERT_TRUE(run_until(context_, [&] { return relay.counters(Way::forth).pieces > before; }));
        relay.set_faults(Way::forth, {.delay = milliseconds(1), .piece = piece});
    }
    ASSERT_TRUE(run_until(context_, [&] { return ended; }));
    EXPECT_EQ(arrived, all);
}

TEST_F(StreamRelayTest, AMissingTargetClosesTheConnection) {
    StreamRelay relay(context_, listener_.local_endpoint(), 1);
    listener_.close();
    tcp::socket client(context_);
    client.connect(relay.endpoint());
    Bytes arrived;
    bool ended = false;
    asio::co_spawn(context_, receive_all(client, arrived), [&](const std::exception_ptr&) { ended = true; });
    EXPECT_TRUE(run_until(context_, [&] { return ended; }));
    EXPECT_TRUE(arrived.empty());
}

}  // namespace
}  // namespace myst::sys::testing
