// Meters and gates of peers, with the protocol around them and a virtual clock.
#include <gtest/gtest.h>

#include "myst/wireguard/test_support/pair.hpp"

namespace myst::wireguard {
namespace {

using test::endpoint;
using test::ip;
using test::Node;
using test::Pair;

constexpr std::uint64_t kPlenty = 1'000'000;

/// a is the payer, b the provider, whose own address inside is b's.
class Metering : public ::testing::Test {
protected:
    Metering() {
        pair.b.device().set_meter(pair.b_to_a().id(), meter);
        std::ignore = pair.a.device().allowed_ips().insert(test::prefix("0.0.0.0/0"), pair.a_to_b().id());
    }

    /// From the payer to the world behind the provider, of `size` bytes in total.
    void send_up(std::size_t size) { pair.a.send(test::ip_packet(ip("10.0.0.1"), ip("8.8.8.8"), size - 20)); }
    /// From that world to the payer.
    void send_down(std::size_t size) { pair.b.send(test::ip_packet(ip("8.8.8.8"), ip("10.0.0.1"), size - 20)); }
    void pay_up() { pair.a.send(Pair::packet_to_b(180)); }
    void pay_down() { pair.b.send(Pair::packet_to_a(180)); }
    /// A session of which nothing is left to see.
    void connect() {
        pair.connect();
        pair.run_for(seconds(1));
        pair.a.delivered.clear();
        pair.b.delivered.clear();
    }

    Pair pair;
    std::shared_ptr<Meter> meter = std::make_shared<Meter>(MeterSettings{ip("10.0.0.2"), true});
};

TEST_F(Metering, CountsInnerPacketsOnly) {
    connect();
    meter->set_allowance(kPlenty);
    for (const std::size_t size : {20U, 21U, 36U, 1'400U}) send_up(size);
    for (const std::size_t size : {50U, 1'399U}) send_down(size);
    pair.run_for(seconds(60));  // with keepalives
    EXPECT_EQ(pair.b.delivered.size(), 4U);
    EXPECT_EQ(pair.a.delivered.size(), 2U);
    const auto reading = meter->read();
    EXPECT_EQ(reading.received.bytes, 20U + 21 + 36 + 1'400);
    EXPECT_EQ(reading.received.packets, 4U);
    EXPECT_EQ(reading.sent.bytes, 50U + 1'399);
    EXPECT_EQ(reading.sent.packets, 2U);
    EXPECT_EQ(reading.refused.packets, 0U);
}

TEST_F(Metering, ForgedReplayedAndForeignPacketsCostNothing) {
    connect();
    meter->set_allowance(kPlenty);
    send_up(1'000);
    auto sent = Pair::take(pair.a);
    ASSERT_EQ(sent.size(), 1U);
    auto forged = sent.front();
    forged.bytes.back() ^= 1;
    pair.b.receive(forged);
    EXPECT_EQ(meter->read().received.bytes, 0U);
    pair.b.receive(sent.front());
    pair.b.receive(sent.front());
    pair.a.send(test::ip_packet(ip("10.0.0.77"), ip("8.8.8.8"), 500));
    pair.exchange();
    EXPECT_EQ(meter->read().received.bytes, 1'000U);
    EXPECT_EQ(meter->reserve(kPlenty), kPlenty - 1'000) << "nothing of them is held back";
}

TEST_F(Metering, ClosedGateLetsPaymentsPassBothWaysAndNothingElse) {
    connect();
    send_up(100);
    send_down(100);
    pay_up();
    pay_down();
    pair.exchange();
    EXPECT_EQ(pair.b.delivered, (std::vector<Bytes>{Pair::packet_to_b(180)}));
    EXPECT_EQ(pair.a.delivered, (std::vector<Bytes>{Pair::packet_to_a(180)}));
    EXPECT_EQ(meter->read().passed_bytes(), 0U);
    EXPECT_EQ(meter->read().refused.packets, 2U);
    meter->set_allowance(kPlenty);
    send_up(100);
    pair.exchange();
    EXPECT_EQ(pair.b.delivered.size(), 2U);
}

TEST_F(Metering, ClosedGateDropsAFloodBeforeDecryption) {
    connect();
    const auto before = pair.b.decrypted;
    constexpr std::size_t kFlood = 10'000;
    for (std::size_t i = 0; i < kFlood; ++i) send_up(1'000);
    pair.exchange();
    EXPECT_EQ(pair.b.decrypted - before, Meter::kGardenBurst / 2 / sealed_size(1'000));
    EXPECT_TRUE(pair.b.delivered.empty());
    EXPECT_EQ(meter->read().refused.packets, kFlood);
    pay_up();
    pair.exchange();
    EXPECT_EQ(pair.b.delivered, (std::vector<Bytes>{Pair::packet_to_b(180)}));
}

TEST_F(Metering, ClosedGateAnswersHandshakes) {
    pair.connect();
    EXPECT_NE(pair.a_to_b().keypairs().current(), nullptr);
    EXPECT_NE(pair.b_to_a().keypairs().current(), nullptr);
}

TEST_F(Metering, WaitingPacketsAreChargedWhenTheyAreSealed) {
    meter->set_allowance(2'500);
    for (int i = 0; i < 3; ++i) send_down(1'000);
    EXPECT_EQ(pair.b_to_a().staged(), 3U);
    EXPECT_EQ(meter->read().sent.bytes, 0U);
    pair.exchange();
    EXPECT_EQ(pair.a.delivered.size(), 2U);
    EXPECT_EQ(meter->read().sent.bytes, 2'000U);
    EXPECT_EQ(meter->read().refused.bytes, 1'000U);
}

TEST_F(Metering, SessionIsConfirmedAlsoIfAllThatWaitedIsRefused) {
    meter->set_allowance(1'000);
    send_down(1'000);
    meter->set_allowance(0);
    pair.exchange();
    EXPECT_TRUE(pair.a.delivered.empty());
    EXPECT_NE(pair.a_to_b().keypairs().current(), nullptr) << "by a keepalive";
}

TEST_F(Metering, ClosedGateDoesNotBeginHandshakes) {
    send_down(1'000);
    EXPECT_EQ(pair.b_to_a().staged(), 0U);
    EXPECT_TRUE(Pair::take(pair.b).empty());
    EXPECT_EQ(meter->read().refused.bytes, 1'000U);
}

TEST_F(Metering, CountsGoOnOverNewKeysAndNewAddresses) {
    connect();
    meter->set_allowance(kPlenty);
    std::uint64_t expected = 0;
    for (int i = 0; i < 40; ++i) {
        if (i % 10 == 9) pair.a.move_to(endpoint("192.0.2." + std::to_string(i) + ":7"));
        send_up(500);
        pair.exchange();
        send_down(700);
        pair.run_for(seconds(10));
        expected += 1'200;
        EXPECT_EQ(meter->read().passed_bytes(), expected);
    }
    EXPECT_EQ(pair.b_to_a().endpoint(), endpoint("192.0.2.39:7"));
    EXPECT_EQ(pair.b.delivered.size(), 40U);
}

TEST_F(Metering, CountsGoOnWhenThePeerIsAddedAgain) {
    connect();
    meter->set_allowance(5'000);
    send_up(2'000);
    pair.exchange();
    pair.b.device().remove_peer(pair.b_to_a().id(), pair.clock.now().steady);
    EXPECT_EQ(meter->read().received.bytes, 2'000U);
    pair.introduce(pair.b, pair.a, {"10.0.0.1/32"});
    pair.b.device().set_meter(pair.b_to_a().id(), meter);
    for (int i = 0; i < 4; ++i) send_down(1'000);
    pair.exchange();
    EXPECT_EQ(meter->read().sent.bytes, 3'000U) << "the allowance is of both together";
    EXPECT_EQ(pair.a.delivered.size(), 3U);
}

TEST_F(Metering, WithoutAMeterPeersAreFree) {
    pair.b.device().set_meter(pair.b_to_a().id(), nullptr);
    connect();
    send_up(100);
    send_down(100);
    pair.exchange();
    EXPECT_EQ(pair.b.delivered.size(), 1U);
    EXPECT_EQ(pair.a.delivered.size(), 1U);
    pair.b.device().set_meter(PeerId{99}, meter);
    EXPECT_EQ(pair.b.device().meter(PeerId{99}), nullptr);
}

}  // namespace
}  // namespace myst::wireguard
