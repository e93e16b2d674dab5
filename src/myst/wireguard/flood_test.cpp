// Strangers who send as much as they like, beside a session that carries packets and a peer that wants one. The recipe
// is that of a handshake flood: 2,000 messages per second from sources of their choice.
#include <gtest/gtest.h>

#include <deque>

#include "myst/wireguard/test_support/pair.hpp"

namespace myst::wireguard {
namespace {

using test::endpoint;
using test::ip;
using test::Node;
using test::Pair;
using test::SeededRng;
using test::Sent;

/// Side b of a pair in a loop like the data plane's: turns in which data comes first, and then a share of work for the
/// handshake messages that wait.
class Flood : public testing::Test {
protected:
    static constexpr std::size_t kQueue = 1'024;
    static constexpr std::uint64_t kWorkPerTurn = 128;
    static constexpr milliseconds kTurn{1};

    void SetUp() override {
        pair.connect();
        pair.b.delivered.clear();
    }

    void arrive(Sent sent) {
        arrived_bytes += sent.bytes.size();
        if (waiting.size() < kQueue) waiting.push_back(std::move(sent));
    }
    /// Now and then a packet of the session, then handshakes; what b sends to nobody we know is counted and lost.
    void turn(std::initializer_list<Node*> others = {}) {
        if (turns++ % 8 == 0) {
            pair.a.send(Pair::packet_to_b());
            ++packets;
            pair.exchange();
        }
        const auto before = b().work().units();
        while (!waiting.empty() && b().work().units() - before < kWorkPerTurn) {
            b().load().report(waiting.size(), kQueue, pair.clock.now().steady);
            pair.b.receive(waiting.front());
            waiting.pop_front();
        }
        most_work = std::max(most_work, b().work().units() - before);
        most_sources = std::max(most_sources, b().sources().size());
        for (const auto& sent : Pair::take(pair.b)) {
            sent_bytes += sent.bytes.size();
            for (auto* other : others) {
                if (sent.to == other->where()) other->receive(sent);
            }
            if (sent.to == pair.a.where()) pair.a.receive(sent);
        }
        pair.clock.advance(kTurn);
        pair.a.advance();
        pair.b.advance();
        for (auto* other : others) {
            other->advance();
            for (auto& sent : Pair::take(*other)) {
                if (classify(sent.bytes) == MessageType::data) {
                    pair.b.receive(sent);
                } else {
                    arrive(std::move(sent));
                }
            }
        }
    }
    /// What nobody can tell from an initiation without opening it.
    Bytes plausible_initiation(CookieGenerator& cookies) {
        Initiation initiation;
        rng.fill(initiation.ephemeral.bytes);
        rng.fill(initiation.encrypted_static);
        auto message = initiation.encode();
        cookies.add_macs(message, pair.clock.now().steady);
        return {message.begin(), message.end()};
    }
    Endpoint anywhere() {
        Endpoint from{IpAddress::from(Bytes{203, 0, 113, 1}), 7};
        rng.fill(std::span(from.address.bytes).first(4));
        return from;
    }
    static Endpoint network_of_64_bits(std::uint32_t i) {
        IpAddress address = ip("2001:db8::1");
        for (std::size_t at = 0; at < 4; ++at) address.bytes[4 + at] = static_cast<std::uint8_t>(i >> (24 - 8 * at));
        return {address, 7};
    }
    Node stranger(std::uint64_t seed, const Endpoint& where, const char* inside) {
        Node node(seed, where, pair.clock);
        const auto id = b().add_peer(node.key()).value();
        EXPECT_TRUE(b().allowed_ips().insert(test::prefix(inside), id));
        const auto at_node = node.device().add_peer(pair.b.key()).value();
        EXPECT_TRUE(node.device().allowed_ips().insert(test::prefix("10.0.0.2/32"), at_node));
        Actions actions;
        node.device().peer(at_node)->set_endpoint(pair.b.where(), pair.clock.now(), actions);
        return node;
    }
    [[nodiscard]] bool connected(Node& node) { return node.peer(pair.b.key()).keypairs().current() != nullptr; }
    [[nodiscard]] Device& b() { return pair.b.device(); }
    void expect_the_session_was_not_disturbed() {
        EXPECT_EQ(pair.b.delivered.size(), packets);
        EXPECT_LT(most_work, 2 * kWorkPerTurn) << "what is begun is ended, but no more is begun";
    }

    Pair pair;
    SeededRng rng{99};
    std::deque<Sent> waiting;
    std::size_t turns = 0;
    std::size_t packets = 0;
    std::size_t most_sources = 0;
    std::uint64_t most_work = 0;
    std::uint64_t arrived_bytes = 0;
    std::uint64_t sent_bytes = 0;
};

TEST_F(Flood, SpoofedInitiationsKeepNobodyOut) {
    CookieGenerator cookies(pair.b.key());
    auto newcomer = stranger(50, endpoint("192.0.2.50:50"), "10.0.0.50/32");
    std::optional<MonotonicTime> asked;
    std::optional<nanoseconds> took;
    for (int i = 0; i < 7'500; ++i) {
        for (int j = 0; j < 2; ++j) arrive({anywhere(), pair.b.where(), plausible_initiation(cookies)});
        if (i == 1'000) {
            asked = pair.clock.now().steady;
            newcomer.send(test::ip_packet(ip("10.0.0.50"), ip("10.0.0.2"), 30));
        }
        turn({&newcomer});
        if (asked && !took && connected(newcomer)) took = pair.clock.now().steady - *asked;
    }
    ASSERT_TRUE(took) << "a cookie at first, then an answer";
    EXPECT_LE(*took, kRekeyTimeout + kRekeyTimeoutJitter + milliseconds(200));
    ++packets;  // the newcomer's
    expect_the_session_was_not_disturbed();
    EXPECT_LT(sent_bytes, arrived_bytes / 2) << "a flood is not made larger";
    EXPECT_LT(b().work().computations, 7'500U / 4) << "most cost a cookie at most";
    EXPECT_LE(b().indexes().size(), 4U);
    // And afterwards all is as before.
    waiting.clear();
    pair.clock.advance(seconds(2));
    auto later = stranger(51, endpoint("192.0.2.51:51"), "10.0.0.51/32");
    later.send(test::ip_packet(ip("10.0.0.51"), ip("10.0.0.2"), 30));
    for (int i = 0; i < 3; ++i) turn({&later});
    EXPECT_TRUE(connected(later)) << "no cookie was asked for";
}

TEST_F(Flood, JunkIsDroppedWithoutAnAnswer) {
    pair.run_for(seconds(6));
    pair.a_to_b().keypairs().current()->skip_counters_for_test(kRekeyAfterMessages);
    pair.a.send(Pair::packet_to_b());
    ++packets;
    auto genuine = Pair::take(pair.a);
    ASSERT_EQ(classify(genuine.back().bytes), MessageType::initiation);
    for (const auto& sent : genuine) pair.b.receive(sent);
    const auto response = Pair::take(pair.b).front();
    pair.a.receive(response);
    pair.exchange();
    const auto indexes = b().indexes().size();
    CookieGenerator cookies(pair.b.key());
    for (int i = 0; i < 100; ++i) {
        for (int j = 0; j < 20; ++j) {
            arrive({anywhere(), pair.b.where(), Bytes(genuine.back().bytes)});  // replayed
            auto wrong_mac = plausible_initiation(cookies);
            wrong_mac[100] ^= 1;
            arrive({anywhere(), pair.b.where(), wrong_mac});
            Bytes reply(kCookieReplySize);
            rng.fill(reply);
            reply[0] = 3;
            reply[1] = reply[2] = reply[3] = 0;
            arrive({anywhere(), pair.b.where(), reply});
            auto no_receiver = Response{}.encode();
            rng.fill(std::span(no_receiver).subspan(8, 4));
            cookies.add_macs(no_receiver, pair.clock.now().steady);
            arrive({anywhere(), pair.b.where(), Bytes(no_receiver.begin(), no_receiver.end())});
            Bytes data(200);
            rng.fill(data);
            data[0] = 4;
            data[1] = data[2] = data[3] = 0;
            pair.b.receive({anywhere(), pair.b.where(), data});
        }
        turn();
    }
    expect_the_session_was_not_disturbed();
    EXPECT_EQ(b().indexes().size(), indexes);
    EXPECT_EQ(pair.b_to_a().endpoint(), pair.a.where());
    EXPECT_GT(b().work().messages, 500U);
}

TEST_F(Flood, ASourceWithACookieGetsItsShare) {
    const auto from = endpoint("198.51.100.1:1");
    CookieGenerator cookies(pair.b.key());
    const auto make_busy = [&] { b().load().report(1, 1, pair.clock.now().steady); };
    make_busy();
    pair.b.receive({from, pair.b.where(), plausible_initiation(cookies)});
    ASSERT_TRUE(cookies.accept_reply(CookieReply::decode(Pair::take(pair.b).at(0).bytes), pair.clock.now().steady));
    const auto before = b().work().computations;
    for (int i = 0; i < 5'000; ++i) {
        make_busy();
        arrive({from, pair.b.where(), plausible_initiation(cookies)});
        turn();
    }
    EXPECT_LE(b().work().computations - before, kHandshakeBurst + 5 * kHandshakesPerSource + 1);
    EXPECT_GE(b().work().computations - before, 5 * kHandshakesPerSource);
    expect_the_session_was_not_disturbed();
}

TEST_F(Flood, NetworksWithCookiesAreBounded) {
    for (std::uint32_t i = 0; i < kMaxSources + 100; ++i) {
        CookieGenerator cookies(pair.b.key());
        b().load().report(1, 1, pair.clock.now().steady);
        const auto from = network_of_64_bits(i);
        pair.b.receive({from, pair.b.where(), plausible_initiation(cookies)});
        const auto reply = Pair::take(pair.b);
        ASSERT_EQ(reply.size(), 1U);
        ASSERT_TRUE(cookies.accept_reply(CookieReply::decode(reply.front().bytes), pair.clock.now().steady));
        arrive({from, pair.b.where(), plausible_initiation(cookies)});
        while (waiting.size() == kQueue) turn();
    }
    while (!waiting.empty()) turn();
    expect_the_session_was_not_disturbed();
    EXPECT_EQ(most_sources, kMaxSources);
}

}  // namespace
}  // namespace myst::wireguard
