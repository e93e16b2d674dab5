// Every row of the table "Timers" in docs/wireguard.md, under a virtual clock.
#include <gtest/gtest.h>

#include "myst/wireguard/test_support/pair.hpp"

namespace myst::wireguard {
namespace {

using test::endpoint;
using test::Node;
using test::Pair;
using test::Sent;

std::size_t count(const std::vector<Sent>& sent, MessageType type) {
    return static_cast<std::size_t>(
        std::count_if(sent.begin(), sent.end(), [&](const Sent& one) { return classify(one.bytes) == type; }));
}

class TimersTest : public testing::Test {
protected:
    Pair pair;
    const Source source{{192, 0, 2, 1}, 0};

    /// What b sends comes to this address of a.
    void set_sources() {
        auto where = pair.b.where();
        where.source = source;
        pair.b.move_to(where);
        Actions actions;
        pair.a_to_b().set_endpoint(where, pair.clock.now(), actions);
    }

    std::size_t initiations(Node& node) { return Pair::lose(node, MessageType::initiation); }
    void persistent(Peer& peer, Node& node, seconds interval) {
        Actions actions;
        peer.set_persistent_interval(interval, pair.clock.now(), actions);
        node.carry_out(std::move(actions));
    }
    /// Keeps the session from looking dead, in both directions.
    void chat() {
        pair.a.send(Pair::packet_to_b());
        pair.exchange();
        pair.b.send(Pair::packet_to_a());
        pair.exchange();
    }
};

TEST_F(TimersTest, InitiatorRekeysOnTimeWhenItSends) {
    pair.connect();
    const auto key = pair.a_to_b().keypairs().current();
    chat();
    pair.clock.advance(milliseconds(119'999));
    chat();
    EXPECT_EQ(pair.a_to_b().keypairs().current(), key);
    pair.clock.advance(milliseconds(1));
    chat();
    EXPECT_NE(pair.a_to_b().keypairs().current(), key);
    EXPECT_EQ(pair.a_to_b().keypairs().previous(), key);
    EXPECT_EQ(pair.b.delivered.size(), 4U);
}

TEST_F(TimersTest, ResponderDoesNotRekeyOnTime) {
    pair.connect();
    pair.clock.advance(seconds(150));
    pair.b.send(Pair::packet_to_a());
    EXPECT_EQ(initiations(pair.b), 0U);
}

TEST_F(TimersTest, BothRekeyOnMessages) {
    for (const bool by_initiator : {true, false}) {
        Pair fresh(7);
        fresh.connect();
        fresh.clock.advance(seconds(6));
        auto& sender = by_initiator ? fresh.a : fresh.b;
        auto& peer = by_initiator ? fresh.a_to_b() : fresh.b_to_a();
        const auto packet = by_initiator ? Pair::packet_to_b() : Pair::packet_to_a();
        peer.keypairs().current()->skip_counters_for_test(kRekeyAfterMessages - 2);
        sender.send(packet);
        EXPECT_EQ(count(Pair::take(sender), MessageType::initiation), 0U);
        sender.send(packet);
        EXPECT_EQ(count(Pair::take(sender), MessageType::initiation), 1U) << by_initiator;
    }
}

TEST_F(TimersTest, InitiatorRekeysOncePerKeyWhenItReceivesAfter165Seconds) {
    pair.connect();
    const auto receive_data = [&] {
        pair.b.send(Pair::packet_to_a());
        for (const auto& sent : Pair::take(pair.b)) pair.a.receive(sent);
    };
    pair.clock.advance(milliseconds(164'999));
    receive_data();
    EXPECT_EQ(initiations(pair.a), 0U);
    pair.clock.advance(milliseconds(1));
    receive_data();
    EXPECT_EQ(initiations(pair.a), 1U);
    pair.clock.advance(milliseconds(6000));
    receive_data();
    EXPECT_EQ(initiations(pair.a), 0U) << "only the retry timer sends more";
}

TEST_F(TimersTest, ResponderDoesNotRekeyWhenItReceives) {
    pair.connect();
    pair.clock.advance(seconds(170));
    pair.a.send(Pair::packet_to_b());
    for (const auto& sent : Pair::take(pair.a)) {
        if (classify(sent.bytes) == MessageType::data) pair.b.receive(sent);
    }
    EXPECT_EQ(initiations(pair.b), 0U);
}

TEST_F(TimersTest, KeysOf180SecondsNeitherSendNorReceive) {
    pair.connect();
    pair.b.send(Pair::packet_to_a());
    const auto late = Pair::take(pair.b);
    pair.clock.advance(seconds(180));
    for (const auto& sent : late) pair.a.receive(sent);
    EXPECT_TRUE(pair.a.delivered.empty());
    pair.a.send(Pair::packet_to_b());
    const auto sent = Pair::take(pair.a);
    EXPECT_EQ(count(sent, MessageType::data), 0U);
    EXPECT_EQ(count(sent, MessageType::initiation), 1U);
    EXPECT_EQ(pair.a_to_b().staged(), 1U);
}

TEST_F(TimersTest, InitiationsAreFiveSecondsApartWithJitter) {
    set_sources();
    pair.a.send(Pair::packet_to_b());
    ASSERT_EQ(pair.a.outbox.size(), 1U);
    EXPECT_EQ(pair.a.outbox.front().to.source, source) << "the first may well get through";
    EXPECT_EQ(initiations(pair.a), 1U);
    std::set<nanoseconds> gaps;
    for (int i = 0; i < 10; ++i) {
        const auto before = pair.clock.now().steady;
        pair.a.send(Pair::packet_to_b());
        EXPECT_TRUE(pair.a.outbox.empty()) << "more packets do not hasten it";
        const auto next = pair.a.device().next_deadline().value();
        EXPECT_GE(next - before, kRekeyTimeout);
        EXPECT_LT(next - before, kRekeyTimeout + kRekeyTimeoutJitter);
        gaps.insert(next - before);
        pair.clock.advance_to(next);
        pair.a.advance();
        const auto sent = Pair::take(pair.a);
        ASSERT_EQ(count(sent, MessageType::initiation), 1U);
        EXPECT_FALSE(sent.front().to.source.known()) << "the way may be dead";
    }
    EXPECT_GT(gaps.size(), 3U);
}

TEST_F(TimersTest, NothingIsTriedAgainAfterTheHandshake) {
    pair.connect();
    EXPECT_GE(pair.a.device().next_deadline().value() - pair.clock.now().steady, kKeepaliveTimeout);
    EXPECT_GE(pair.b.device().next_deadline().value() - pair.clock.now().steady, kKeepaliveTimeout);
}

TEST_F(TimersTest, GivesUpAfter90SecondsFlushesAndBeginsAnewOnNewData) {
    pair.a.send(Pair::packet_to_b());
    const auto start = pair.clock.now().steady;
    pair.run_for(seconds(89), false);
    const auto attempts = initiations(pair.a);
    EXPECT_GE(attempts, 16U);
    EXPECT_LE(attempts, 18U);
    EXPECT_EQ(pair.a_to_b().staged(), 1U);
    pair.run_for(seconds(10), false);
    EXPECT_LE(initiations(pair.a), 1U);
    EXPECT_EQ(pair.a_to_b().staged(), 0U);
    EXPECT_EQ(pair.a.device().indexes().size(), 0U);
    pair.run_for(seconds(300), false);
    EXPECT_EQ(initiations(pair.a), 0U) << "silence since " << (pair.clock.now().steady - start).count();
    pair.a.send(Pair::packet_to_b());
    pair.exchange();
    EXPECT_EQ(pair.b.delivered.size(), 1U);
}

TEST_F(TimersTest, NewDataProlongsTheAttempts) {
    for (int i = 0; i < 20; ++i) {
        pair.a.send(Pair::packet_to_b());
        pair.run_for(seconds(10), false);
    }
    EXPECT_GE(initiations(pair.a), 35U);
    EXPECT_EQ(pair.a_to_b().staged(), 20U);
}

TEST_F(TimersTest, StagedPacketsAreBoundedAndTheOldestGoes) {
    for (std::size_t i = 0; i < kMaxStagedPackets + 10; ++i) pair.a.send(Pair::packet_to_b(i));
    EXPECT_EQ(pair.a_to_b().staged(), kMaxStagedPackets);
    pair.exchange();
    ASSERT_EQ(pair.b.delivered.size(), kMaxStagedPackets);
    EXPECT_EQ(pair.b.delivered.front(), Pair::packet_to_b(10));
    EXPECT_EQ(pair.b.delivered.back(), Pair::packet_to_b(kMaxStagedPackets + 9));
}

TEST_F(TimersTest, DeadPeerLeadsToAnInitiationAfter15Seconds) {
    set_sources();
    pair.connect();
    pair.run_for(seconds(11));  // b's keepalive for what it got
    pair.a.send(Pair::packet_to_b());
    EXPECT_EQ(Pair::take(pair.a).back().to.source, source);
    pair.run_for(milliseconds(10'000), false);
    pair.a.send(Pair::packet_to_b());  // does not move the deadline
    pair.run_for(milliseconds(4'999), false);
    EXPECT_EQ(initiations(pair.a), 0U);
    pair.run_for(milliseconds(335), false);
    const auto sent = Pair::take(pair.a);
    ASSERT_EQ(count(sent, MessageType::initiation), 1U);
    EXPECT_FALSE(sent.back().to.source.known());
    EXPECT_FALSE(pair.a_to_b().endpoint()->source.known()) << "nor have packets under the old key one";
}

TEST_F(TimersTest, AnythingReceivedShowsThatThePeerLives) {
    pair.connect();
    pair.run_for(seconds(60));
    EXPECT_EQ(pair.a.device().indexes().size(), 1U) << "b's keepalive was enough";
}

TEST_F(TimersTest, PassiveKeepaliveTenSecondsAfterDataAndNoneForAKeepalive) {
    pair.connect();
    pair.run_for(milliseconds(9'999));
    EXPECT_EQ(pair.a.opened, 0U);
    pair.run_for(milliseconds(1));
    EXPECT_EQ(pair.a.opened, 1U) << "the keepalive, relative to the reception";
    pair.run_for(seconds(100));
    EXPECT_EQ(pair.a.opened, 1U);
    EXPECT_EQ(pair.b.opened, 1U) << "a keepalive begets none";
}

TEST_F(TimersTest, PassiveKeepaliveIsNotNeededWhenSomethingWasSent) {
    pair.connect();
    pair.clock.advance(seconds(9));
    pair.b.send(Pair::packet_to_a());
    pair.exchange();
    pair.run_for(milliseconds(9'999));
    EXPECT_EQ(pair.a.opened, 1U) << "the data alone";
}

TEST_F(TimersTest, PersistentKeepaliveIsOffUntilSetAndFollowsSilence) {
    pair.connect();
    pair.run_for(seconds(30));
    const auto opened = pair.b.opened;
    persistent(pair.a_to_b(), pair.a, seconds(20));
    pair.exchange();
    EXPECT_EQ(pair.b.opened, opened + 1) << "one at once";
    pair.run_for(seconds(15));
    pair.b.send(Pair::packet_to_a());
    pair.exchange();
    pair.run_for(milliseconds(9'999));
    EXPECT_EQ(pair.b.opened, opened + 1);
    pair.run_for(milliseconds(1));
    EXPECT_EQ(pair.b.opened, opened + 2) << "the answer to b's data, which put the persistent one off";
    pair.run_for(milliseconds(19'999));
    EXPECT_EQ(pair.b.opened, opened + 2);
    pair.run_for(milliseconds(1));
    EXPECT_EQ(pair.b.opened, opened + 3);
    persistent(pair.a_to_b(), pair.a, seconds(0));
    pair.run_for(seconds(40));
    EXPECT_EQ(pair.b.opened, opened + 3);
}

TEST_F(TimersTest, UnauthenticPacketsDoNotPutThePersistentKeepaliveOff) {
    pair.connect();
    persistent(pair.a_to_b(), pair.a, seconds(20));
    pair.exchange();
    pair.clock.advance(seconds(19));
    pair.b.send(Pair::packet_to_a());
    auto forged = Pair::take(pair.b).at(0);
    forged.bytes.back() ^= 1;
    pair.a.receive(forged);
    const auto opened = pair.b.opened;
    pair.run_for(seconds(1));
    EXPECT_EQ(pair.b.opened, opened + 1);
}

TEST_F(TimersTest, PersistentKeepalivesOfBothSidesDoNotFight) {
    persistent(pair.a_to_b(), pair.a, seconds(1));
    persistent(pair.b_to_a(), pair.b, seconds(1));
    std::size_t handshakes = 0;
    for (int i = 0; i < 1200; ++i) {
        pair.clock.advance(milliseconds(100));
        pair.a.advance();
        pair.b.advance();
        handshakes += count(pair.a.outbox, MessageType::initiation) + count(pair.b.outbox, MessageType::initiation);
        pair.exchange();
    }
    EXPECT_EQ(handshakes, 2U) << "one of each side at the beginning; the next come after 120 s";
    EXPECT_TRUE(pair.a_to_b().keypairs().current());
    EXPECT_TRUE(pair.b_to_a().keypairs().current());
}

TEST_F(TimersTest, ResponderWithoutSessionDoesNotBeginAtOnce) {
    persistent(pair.b_to_a(), pair.b, seconds(1));
    (void)Pair::take(pair.b);
    pair.run_for(seconds(6), false);
    (void)Pair::take(pair.b);
    pair.a.send(Pair::packet_to_b());
    for (const auto& sent : Pair::take(pair.a)) pair.b.receive(sent);
    EXPECT_EQ(Pair::lose(pair.b, MessageType::response), 1U);  // lost
    pair.run_for(milliseconds(4'900), false);
    EXPECT_EQ(initiations(pair.b), 0U) << "its keepalives wait for the other side to confirm";
    pair.run_for(seconds(1), false);
    EXPECT_EQ(initiations(pair.b), 1U);
}

TEST_F(TimersTest, ResponderWithWaitingDataBeginsWhenNobodyConfirms) {
    pair.a.send(Pair::packet_to_b());
    for (const auto& sent : Pair::take(pair.a)) pair.b.receive(sent);
    EXPECT_EQ(Pair::lose(pair.b, MessageType::response), 1U);  // lost
    pair.b.send(Pair::packet_to_a());
    pair.run_for(milliseconds(4'999), false);
    EXPECT_EQ(initiations(pair.b), 0U);
    pair.run_for(milliseconds(335), false);
    EXPECT_EQ(initiations(pair.b), 1U);
}

TEST_F(TimersTest, KeysAreWipedAfter540SecondsWithoutNewOnes) {
    pair.connect();
    const auto held = pair.a_to_b().keypairs().current();
    pair.run_for(milliseconds(539'999), false);
    EXPECT_EQ(pair.a_to_b().keypairs().current(), held);
    pair.run_for(milliseconds(1), false);
    EXPECT_EQ(pair.a_to_b().keypairs().current(), nullptr);
    EXPECT_TRUE(held->send_key().equals(Secret<32>{}));
    EXPECT_EQ(pair.a.device().indexes().size(), 0U);
}

TEST_F(TimersTest, SimultaneousInitiationsConverge) {
    pair.connect();
    pair.b.send(Pair::packet_to_a());
    pair.exchange();
    for (int round = 0; round < 5; ++round) {
        // Both keys are exhausted at the same time; both begin, and their messages cross.
        pair.clock.advance(seconds(120));
        pair.a_to_b().keypairs().current()->skip_counters_for_test(kRekeyAfterMessages);
        pair.b_to_a().keypairs().current()->skip_counters_for_test(kRekeyAfterMessages);
        pair.a.send(Pair::packet_to_b());
        pair.b.send(Pair::packet_to_a());
        ASSERT_EQ(count(pair.a.outbox, MessageType::initiation), 1U);
        ASSERT_EQ(count(pair.b.outbox, MessageType::initiation), 1U);
        auto of_a = Pair::take(pair.a);
        auto of_b = Pair::take(pair.b);
        for (const auto& sent : of_a) pair.b.receive(sent);
        for (const auto& sent : of_b) pair.a.receive(sent);
        pair.exchange();
        const auto delivered = pair.a.delivered.size() + pair.b.delivered.size();
        chat();
        EXPECT_EQ(pair.a.delivered.size() + pair.b.delivered.size(), delivered + 2) << round;
        EXPECT_EQ(pair.a.device().indexes().size(), 2U);
        EXPECT_EQ(pair.b.device().indexes().size(), 2U);
    }
}

TEST_F(TimersTest, RestartedPeerIsFoundAgain) {
    pair.connect();
    const auto id = pair.b.device().find_peer(pair.a.key()).value();
    pair.b.device().remove_peer(id, pair.clock.now().steady);
    pair.introduce(pair.b, pair.a, {"10.0.0.1/32"});
    pair.a.send(Pair::packet_to_b());
    pair.run_for(seconds(16));
    pair.a.send(Pair::packet_to_b());
    pair.exchange();
    EXPECT_EQ(pair.b.delivered.size(), 2U) << "the packet before the restart, and the last one";
}

TEST_F(TimersTest, WithoutEndpointPacketsWaitForOne) {
    Node c(50, endpoint("192.0.2.3:3"), pair.clock);
    const auto id = c.device().add_peer(pair.b.key()).value();
    ASSERT_TRUE(c.device().allowed_ips().insert(test::prefix("10.0.0.2"), id));
    c.send(Pair::packet_to_b());
    EXPECT_TRUE(c.outbox.empty());
    EXPECT_EQ(c.device().next_deadline(), std::nullopt);
    Actions actions;
    c.device().peer(id)->set_endpoint(pair.b.where(), pair.clock.now(), actions);
    EXPECT_EQ(actions.size(), 1U);
}

}  // namespace
}  // namespace myst::wireguard
