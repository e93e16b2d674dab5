// The boxes of the protocol that are not about time; those are in timers_test.cpp.
#include "myst/wireguard/device.hpp"

#include <gtest/gtest.h>

#include "myst/wireguard/test_support/pair.hpp"

namespace myst::wireguard {
namespace {

using test::endpoint;
using test::ip;
using test::Node;
using test::Pair;
using test::prefix;
using test::Sent;

/// The first datagram that the node has sent.
Sent first_of(Node& node) {
    auto sent = Pair::take(node);
    EXPECT_FALSE(sent.empty());
    return sent.empty() ? Sent{} : sent.front();
}

TEST(Device, PacketsArriveBothWaysInBothVersions) {
    Pair pair;
    pair.a.send(Pair::packet_to_b());
    pair.exchange();
    pair.b.send(Pair::packet_to_a(1));
    pair.b.send(test::ip_packet(ip("fd00::2"), ip("fd00::1"), 1200));
    pair.exchange();
    EXPECT_EQ(pair.b.delivered, (std::vector<Bytes>{Pair::packet_to_b()}));
    EXPECT_EQ(pair.a.delivered,
              (std::vector<Bytes>{Pair::packet_to_a(1), test::ip_packet(ip("fd00::2"), ip("fd00::1"), 1200)}));
}

TEST(Device, PresharedKeyMustBeTheSame) {
    Pair pair;
    pair.a_to_b().set_preshared_key(make_private_key(*std::make_unique<test::SeededRng>(1)));
    pair.connect();
    EXPECT_TRUE(pair.b.delivered.empty());
    EXPECT_EQ(pair.a_to_b().keypairs().current(), nullptr);
    pair.b_to_a().set_preshared_key(pair.a_to_b().preshared_key().clone());
    pair.run_for(seconds(6));
    EXPECT_EQ(pair.b.delivered.size(), 1U);
}

TEST(Device, PresharedKeyChangeDoesNotEndTheSession) {
    Pair pair;
    pair.connect();
    pair.a_to_b().set_preshared_key(make_private_key(*std::make_unique<test::SeededRng>(1)));
    pair.a.send(Pair::packet_to_b());
    pair.exchange();
    EXPECT_EQ(pair.b.delivered.size(), 2U);
}

TEST(Silence, UnknownStaticKey) {
    Pair pair;
    Node stranger(77, endpoint("192.0.2.9:9"), pair.clock);
    pair.introduce(stranger, pair.b, {"10.0.0.2/32"});
    stranger.send(Pair::packet_to_b());
    pair.b.receive(first_of(stranger));
    EXPECT_TRUE(pair.b.outbox.empty());
    EXPECT_EQ(pair.b.device().indexes().size(), 0U);
}

TEST(Silence, BadMac1AndAnyOtherChangedByte) {
    Pair pair;
    pair.a.send(Pair::packet_to_b());
    const auto good = first_of(pair.a);
    for (std::size_t at = 0; at < kInitiationSize - kMacSize; ++at) {
        auto bad = good;
        bad.bytes[at] ^= 0x80;
        pair.b.receive(bad);
        EXPECT_TRUE(pair.b.outbox.empty()) << at;
    }
    pair.b.receive(good);
    EXPECT_EQ(pair.b.outbox.size(), 1U);
}

TEST(Silence, RepeatedOrOlderTimestamp) {
    Pair pair;
    pair.a.send(Pair::packet_to_b());
    const auto first = first_of(pair.a);
    pair.run_for(seconds(6), false);
    const auto second = first_of(pair.a);
    ASSERT_EQ(classify(second.bytes), MessageType::initiation);
    pair.b.receive(second);
    EXPECT_EQ(Pair::lose(pair.b, MessageType::response), 1U);
    pair.clock.advance(seconds(1));
    pair.b.receive(second);
    pair.b.receive(first);
    EXPECT_TRUE(pair.b.outbox.empty());
}

TEST(Silence, MoreThan50InitiationsPerSecondOfAPeer) {
    Pair pair;
    test::SeededRng rng(4);
    const auto own = Identity::from(pair.a.private_key().clone());
    const auto shared = shared_secret(own.private_key, pair.b.key()).value();
    CookieGenerator cookies(pair.b.key());
    TimestampSource timestamps;
    std::size_t answers = 0;
    for (int i = 0; i < 1000; ++i) {
        const auto now = pair.clock.now();
        const auto made = make_initiation(own, pair.b.key(), shared, timestamps.next(now.wall), 5, rng);
        auto message = made->message.encode();
        cookies.add_macs(message, now.steady);
        pair.b.receive({pair.a.where(), pair.b.where(), Bytes(message.begin(), message.end())});
        answers += Pair::lose(pair.b, MessageType::response);
        pair.clock.advance(milliseconds(1));
    }
    EXPECT_EQ(answers, 50U);
    EXPECT_EQ(pair.b.device().indexes().size(), 1U) << "only the last one is kept";
}

TEST(HandshakeState, ResponseIsConsumedOnceAndFoundByItsIndex) {
    Pair pair;
    pair.a.send(Pair::packet_to_b());
    pair.b.receive(first_of(pair.a));
    const auto response = first_of(pair.b);
    auto other_index = response;
    other_index.bytes[8] ^= 1;
    CookieGenerator(pair.a.key()).add_macs(other_index.bytes, pair.clock.now().steady);
    pair.a.receive(other_index);
    EXPECT_TRUE(pair.a.outbox.empty());
    pair.a.receive(response);
    const auto keypair = pair.a_to_b().keypairs().current();
    ASSERT_TRUE(keypair);
    EXPECT_EQ(Pair::lose(pair.a, MessageType::data), 1U);
    pair.a.receive(response);
    EXPECT_EQ(pair.a_to_b().keypairs().current(), keypair);
    EXPECT_TRUE(pair.a.outbox.empty());
}

TEST(HandshakeState, IndexIsReplacedOnEachAttempt) {
    Pair pair;
    pair.a.send(Pair::packet_to_b());
    const auto first = first_of(pair.a);
    pair.run_for(seconds(6), false);
    const auto second = first_of(pair.a);
    EXPECT_NE(Initiation::decode(first.bytes).sender, Initiation::decode(second.bytes).sender);
    EXPECT_NE(Initiation::decode(first.bytes).ephemeral, Initiation::decode(second.bytes).ephemeral);
    EXPECT_EQ(pair.a.device().indexes().size(), 1U);
    EXPECT_TRUE(pair.a.device().indexes().resting(Initiation::decode(first.bytes).sender));
    pair.b.receive(first);
    pair.a.receive(first_of(pair.b));
    EXPECT_EQ(pair.a_to_b().keypairs().current(), nullptr) << "the answer to the first comes too late";
}

TEST(KeySlots, ResponderDoesNotSendBeforeTheInitiatorDid) {
    Pair pair;
    pair.a.send(Pair::packet_to_b());
    pair.b.receive(first_of(pair.a));
    ASSERT_TRUE(pair.b_to_a().keypairs().next());
    const auto response = first_of(pair.b);
    pair.b.send(Pair::packet_to_a());
    EXPECT_TRUE(pair.b.outbox.empty()) << "neither data nor an initiation of its own";
    EXPECT_EQ(pair.b_to_a().staged(), 1U);
    pair.a.receive(response);
    pair.exchange();
    EXPECT_EQ(pair.a.delivered.size(), 1U) << "what waited went out when the key was confirmed";
}

TEST(KeySlots, InitiatorConfirmsAtOnceWithWhatWaitsOrAKeepalive) {
    Pair pair;
    Actions actions;
    pair.a_to_b().set_persistent_interval(seconds(25), pair.clock.now(), actions);
    pair.a.carry_out(std::move(actions));
    pair.b.receive(first_of(pair.a));
    pair.a.receive(first_of(pair.b));
    const auto confirmation = first_of(pair.a);
    EXPECT_EQ(confirmation.bytes.size(), kKeepaliveSize);
    pair.b.receive(confirmation);
    EXPECT_TRUE(pair.b_to_a().keypairs().current());
}

TEST(Limits, CountersAtTheLimitNeitherSendNorReceive) {
    Pair pair;
    pair.connect();
    const auto keypair = pair.a_to_b().keypairs().current();
    keypair->skip_counters_for_test(kRejectAfterMessages - 1);
    pair.a.send(Pair::packet_to_b());
    auto sent = Pair::take(pair.a);
    ASSERT_EQ(classify(sent.at(0).bytes), MessageType::data);
    pair.b.receive(sent.at(0));
    EXPECT_EQ(pair.b.delivered.size(), 2U) << "the last one";
    pair.a.send(Pair::packet_to_b());
    EXPECT_EQ(Pair::lose(pair.a, MessageType::data), 0U);
    EXPECT_EQ(pair.a_to_b().staged(), 1U);
    EXPECT_FALSE(pair.b_to_a().keypairs().current()->replay().plausible(kRejectAfterMessages));
}

TEST(Removal, WipesKeysIndexesAndWaitingPackets) {
    Pair pair;
    pair.connect();
    const auto held = pair.a_to_b().keypairs().current();
    pair.clock.advance(seconds(181));
    pair.a.send(Pair::packet_to_b());  // the key is too old: a second initiation is under way, and the packet waits
    EXPECT_EQ(pair.a_to_b().staged(), 1U);
    EXPECT_EQ(pair.a.device().indexes().size(), 2U);
    const auto id = pair.a.device().find_peer(pair.b.key()).value();
    pair.a.device().remove_peer(id, pair.clock.now().steady);
    EXPECT_TRUE(held->send_key().equals(Secret<32>{}));
    EXPECT_TRUE(held->receive_key().equals(Secret<32>{}));
    EXPECT_FALSE(held->take_counters(1));
    EXPECT_EQ(pair.a.device().indexes().size(), 0U);
    EXPECT_EQ(pair.a.device().route(ip("10.0.0.2")), std::nullopt);
    EXPECT_EQ(pair.a.device().next_deadline(), std::nullopt);
    EXPECT_EQ(pair.a.device().peer(id), nullptr);
    pair.exchange();  // what was under way leads nowhere
}

TEST(Removal, PrivateKeyChangeEndsSessionsAndRemovesTheDeviceAsItsOwnPeer) {
    Pair pair;
    pair.connect();
    const auto held = pair.a_to_b().keypairs().current();
    pair.a.device().set_private_key(pair.b.private_key().clone(), pair.clock.now().steady);
    EXPECT_TRUE(held->send_key().equals(Secret<32>{}));
    EXPECT_FALSE(pair.a.device().find_peer(pair.b.key()));
    EXPECT_EQ(pair.a.device().indexes().size(), 0U);
}

TEST(Peers, OwnKeyDuplicatesAndKeysOfLowOrderAreRefused) {
    Pair pair;
    EXPECT_FALSE(pair.a.device().add_peer(pair.a.key()));
    EXPECT_EQ(pair.a.device().add_peer(pair.b.key()).error().code, ErrorCode::already_exists);
    EXPECT_FALSE(pair.a.device().add_peer(TunnelKey{}));
    EXPECT_EQ(pair.a.device().peers().size(), 1U);
}

TEST(Roaming, FollowsInitiationsResponsesAndDataOnly) {
    Pair pair;
    pair.connect();
    const auto elsewhere = endpoint("198.51.100.7:7");
    pair.a.move_to(elsewhere);
    pair.a.send(Pair::packet_to_b());
    auto data = first_of(pair.a);
    auto forged = data;
    forged.from = endpoint("203.0.113.1:1");
    forged.bytes.back() ^= 1;
    pair.b.receive(forged);
    EXPECT_EQ(pair.b_to_a().endpoint(), endpoint("192.0.2.1:1"));
    pair.b.receive(data);
    EXPECT_EQ(pair.b_to_a().endpoint(), elsewhere);
    data.from = endpoint("203.0.113.1:1");
    pair.b.receive(data);
    EXPECT_EQ(pair.b_to_a().endpoint(), elsewhere) << "a repeated packet moves nobody";
    // An initiation from a new place, and the response from another one.
    pair.run_for(seconds(125));
    (void)Pair::take(pair.a);
    pair.a.move_to(endpoint("198.51.100.8:8"));
    pair.a.send(Pair::packet_to_b());
    auto sent = Pair::take(pair.a);
    ASSERT_EQ(classify(sent.back().bytes), MessageType::initiation);
    pair.b.receive(sent.back());
    EXPECT_EQ(pair.b_to_a().endpoint(), endpoint("198.51.100.8:8"));
    pair.b.move_to(endpoint("198.51.100.9:9"));
    auto response = first_of(pair.b);
    response.from = pair.b.where();
    pair.a.receive(response);
    EXPECT_EQ(pair.a_to_b().endpoint(), endpoint("198.51.100.9:9"));
}

TEST(Roaming, AnswersLeaveFromWhereMessagesCameToUntilThatAddressIsGone) {
    Pair pair;
    auto where = pair.a.where();
    where.source = {{192, 0, 2, 2}, 0};  // b's address that a speaks to
    pair.a.move_to(where);
    pair.a.send(Pair::packet_to_b());
    pair.b.receive(first_of(pair.a));
    const auto response = first_of(pair.b);
    EXPECT_EQ(response.to.source, where.source);
    pair.a.receive(response);
    pair.exchange();
    pair.b.send(Pair::packet_to_a());
    EXPECT_EQ(first_of(pair.b).to.source, where.source);

    pair.b.device().forget_source({{192, 0, 2, 3}, 0});
    EXPECT_EQ(pair.b_to_a().endpoint(), where) << "it was another one";
    pair.b.device().forget_source(where.source);
    EXPECT_EQ(pair.b_to_a().endpoint(), endpoint("192.0.2.1:1"));
    pair.a.send(Pair::packet_to_b());
    pair.exchange();
    EXPECT_EQ(pair.b_to_a().endpoint(), where) << "learnt anew";
}

TEST(Cookies, BusyDeviceAnswersInitiationAndResponseWithCookies) {
    Pair pair;
    pair.b.device().load().report(1, 1, pair.clock.now().steady);
    pair.a.send(Pair::packet_to_b());
    const auto initiation = first_of(pair.a);
    pair.b.receive(initiation);
    const auto reply = first_of(pair.b);
    ASSERT_EQ(classify(reply.bytes), MessageType::cookie_reply);
    EXPECT_LT(reply.bytes.size(), initiation.bytes.size());
    EXPECT_EQ(pair.b.device().indexes().size(), 0U);
    auto from_elsewhere = reply;
    from_elsewhere.from = endpoint("203.0.113.1:1");
    pair.a.receive(from_elsewhere);
    EXPECT_TRUE(pair.a.outbox.empty()) << "the initiation is not sent again at once";
    EXPECT_EQ(pair.a_to_b().endpoint(), pair.b.where()) << "a cookie reply moves nobody";
    // The next attempt carries mac2. Now a is busy as well and wants a cookie for the response.
    pair.run_for(seconds(6), false);
    pair.b.device().load().report(1, 1, pair.clock.now().steady);
    pair.a.device().load().report(1, 1, pair.clock.now().steady);
    pair.b.receive(first_of(pair.a));
    const auto response = first_of(pair.b);
    ASSERT_EQ(classify(response.bytes), MessageType::response);
    pair.a.receive(response);
    const auto second_reply = first_of(pair.a);
    ASSERT_EQ(classify(second_reply.bytes), MessageType::cookie_reply);
    pair.b.receive(second_reply);
    EXPECT_TRUE(pair.b.outbox.empty());
    // Both have cookies now.
    pair.run_for(seconds(6), false);
    pair.b.device().load().report(1, 1, pair.clock.now().steady);
    pair.a.device().load().report(1, 1, pair.clock.now().steady);
    pair.exchange();
    EXPECT_EQ(pair.b.delivered.size(), 1U);
}

TEST(Cookies, BusyDeviceLimitsHandshakesPerSource) {
    Pair pair;
    const auto make_b_busy = [&] { pair.b.device().load().report(1, 1, pair.clock.now().steady); };
    make_b_busy();
    pair.a.send(Pair::packet_to_b());
    pair.b.receive(first_of(pair.a));
    const auto reply = first_of(pair.b);
    pair.a.receive(reply);
    // Somebody else at a's address has the same cookie, and spends what the address may ask for.
    CookieGenerator cookies(pair.b.key());
    const auto send_junk = [&] {
        auto message = Initiation{}.encode();
        cookies.add_macs(message, pair.clock.now().steady);
        Actions actions;
        EXPECT_FALSE(pair.b.device().handle_handshake(message, pair.a.where(), pair.clock.now(), actions));
        return actions;
    };
    const auto answer = CookieReply::decode(std::get<SendDatagram>(send_junk().at(0)).bytes);
    EXPECT_TRUE(cookies.accept_reply(answer, pair.clock.now().steady));
    pair.run_for(seconds(6), false);
    make_b_busy();
    for (std::uint32_t i = 0; i < kHandshakeBurst; ++i) EXPECT_TRUE(send_junk().empty());
    pair.b.receive(first_of(pair.a));
    EXPECT_TRUE(pair.b.outbox.empty()) << "neither a response nor a cookie";
    pair.run_for(seconds(6), false);
    make_b_busy();
    pair.b.receive(first_of(pair.a));
    EXPECT_EQ(Pair::lose(pair.b, MessageType::response), 1U);
}

TEST(Inner, ForeignSourceIsNotDelivered) {
    Pair pair;
    pair.connect();
    for (const auto* source : {"10.0.0.3", "10.0.0.2"}) {
        pair.a.send(test::ip_packet(ip(source), ip("10.0.0.2"), 10));
        pair.exchange();
    }
    Bytes odd = Pair::packet_to_b();
    const auto id = pair.b.device().find_peer(pair.a.key()).value();
    EXPECT_TRUE(pair.b.device().admit(id, odd));
    odd[0] = 0x55;
    EXPECT_FALSE(pair.b.device().admit(id, odd));
    odd = Pair::packet_to_b();
    odd.pop_back();
    EXPECT_FALSE(pair.b.device().admit(id, odd)) << "longer than the plaintext";
    EXPECT_EQ(pair.b.delivered.size(), 1U);
}

TEST(Replay, ARepeatedPacketIsNotDelivered) {
    Pair pair;
    pair.connect();
    pair.a.send(Pair::packet_to_b());
    const auto data = first_of(pair.a);
    for (int i = 0; i < 3; ++i) pair.b.receive(data);
    EXPECT_EQ(pair.b.delivered.size(), 2U);
}

TEST(Counters, CountWireBytesWithHandshakes) {
    Pair pair;
    pair.connect();  // initiation, response, one packet of 120 bytes, padded to 128
    EXPECT_EQ(pair.a_to_b().counters().sent_bytes, 148U + 16 + 128 + 16);
    EXPECT_EQ(pair.a_to_b().counters().received_bytes, 92U);
    EXPECT_EQ(pair.b_to_a().counters().sent_bytes, 92U);
    EXPECT_EQ(pair.b_to_a().counters().received_bytes, 148U + 16 + 128 + 16);
    EXPECT_EQ(pair.a_to_b().counters().last_handshake, pair.clock.now().wall);
}

}  // namespace
}  // namespace myst::wireguard
