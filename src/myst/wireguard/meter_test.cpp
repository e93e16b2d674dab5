#include "myst/wireguard/meter.hpp"

#include <thread>

#include <gtest/gtest.h>

#include "myst/wireguard/metered_batch.hpp"
#include "myst/wireguard/test_support/fixtures.hpp"

namespace myst::wireguard {
namespace {

using test::ip;
using Admission = ReceivedBatch::Admission;
using GardenUse = Meter::GardenUse;

constexpr MonotonicTime kStart{seconds{1'000}};
constexpr std::uint64_t kForever = ~std::uint64_t{0};

MeterSettings with_garden() {
    return {ip("10.0.0.1"), true};
}
InnerPacket packet_to(std::string_view destination, std::size_t length) {
    return {ip("10.0.0.2"), ip(destination), length};
}

TEST(Meter, IsClosedUntilThereIsAnAllowance) {
    Meter meter(MeterSettings{});
    EXPECT_EQ(meter.reserve(1), 0U);
    EXPECT_FALSE(meter.has_left(1));
    meter.set_allowance(100);
    EXPECT_EQ(meter.reserve(1), 1U);
    EXPECT_TRUE(meter.has_left(99));
    EXPECT_FALSE(meter.has_left(100));
}

TEST(Meter, GrantsWhatIsLeftAndNoMore) {
    Meter meter(MeterSettings{});
    meter.set_allowance(1'000);
    EXPECT_EQ(meter.reserve(600), 600U);
    EXPECT_EQ(meter.reserve(600), 400U);
    EXPECT_EQ(meter.reserve(600), 0U);
    meter.give_back(250);
    EXPECT_EQ(meter.reserve(600), 250U);
}

TEST(Meter, AllowanceIsATotalThatIsRaisedAndLowered) {
    Meter meter(MeterSettings{});
    meter.set_allowance(1'000);
    EXPECT_EQ(meter.reserve(700), 700U);
    meter.set_allowance(800);
    EXPECT_EQ(meter.reserve(700), 100U);
    meter.set_allowance(300);
    EXPECT_EQ(meter.reserve(1), 0U) << "closed at once";
    meter.give_back(100);
    EXPECT_EQ(meter.reserve(1), 0U) << "700 of 300 are used";
    meter.set_allowance(701);
    EXPECT_EQ(meter.reserve(5), 1U);
}

TEST(Meter, GreatestAllowancesDoNotOverflow) {
    Meter meter(MeterSettings{});
    meter.set_allowance(kForever);
    EXPECT_EQ(meter.reserve(kForever), Meter::kMaxAllowance);
    meter.set_allowance(0);
    EXPECT_EQ(meter.reserve(1), 0U);
    meter.set_allowance(kForever);
    EXPECT_EQ(meter.reserve(1), 0U) << "all of it is used";
    meter.give_back(7);
    EXPECT_EQ(meter.reserve(kForever), 7U);
    meter.count_received({1, kForever});
    EXPECT_EQ(meter.read().received.bytes, kForever);
}

TEST(Meter, WithoutAGateCountsOnly) {
    Meter meter({std::nullopt, false});
    EXPECT_EQ(meter.reserve(kForever), kForever);
    EXPECT_TRUE(meter.has_left(kForever));
    meter.count_sent({2, 300});
    EXPECT_EQ(meter.read().sent.packets, 2U);
    EXPECT_EQ(meter.read().passed_bytes(), 300U);
}

TEST(Meter, GardenIsOneAddressInEitherDirection) {
    const Meter meter(with_garden());
    EXPECT_TRUE(meter.in_garden(packet_to("10.0.0.1", 40)));
    EXPECT_TRUE(meter.in_garden({ip("10.0.0.1"), ip("10.0.0.2"), 40}));
    EXPECT_FALSE(meter.in_garden(packet_to("10.0.0.3", 40)));
    EXPECT_FALSE(meter.in_garden(packet_to("a00:1::", 40))) << "the same first bytes, but of IPv6";
    EXPECT_FALSE(Meter(MeterSettings{}).in_garden(packet_to("0.0.0.0", 40)));
}

TEST(Meter, GardenTokensComeWithTimeUpToABurst) {
    Meter meter(with_garden());
    EXPECT_EQ(meter.reserve_garden(kForever, GardenUse::small, kStart), Meter::kGardenBurst);
    EXPECT_EQ(meter.reserve_garden(1, GardenUse::small, kStart), 0U);
    const auto rate = Meter::kGardenRate / 1'000;
    EXPECT_EQ(meter.reserve_garden(kForever, GardenUse::small, kStart + milliseconds(1)), rate);
    EXPECT_EQ(meter.reserve_garden(kForever, GardenUse::small, kStart + seconds(3'600)), Meter::kGardenBurst);
    EXPECT_EQ(meter.reserve_garden(1, GardenUse::small, kStart), 0U) << "a clock that goes back gives nothing";
    EXPECT_EQ(Meter(MeterSettings{}).reserve_garden(1, GardenUse::small, kStart), 0U);
}

TEST(Meter, GardenTokensThatAreGivenBackGather) {
    Meter meter(with_garden());
    EXPECT_EQ(meter.reserve_garden(kForever, GardenUse::small, kStart), Meter::kGardenBurst);
    // A flood of messages that are too large for what has come in since the last one must not keep it from growing.
    auto now = kStart;
    std::uint64_t level = 0;
    for (int i = 0; i < 1'000; ++i) {
        now += std::chrono::microseconds(10);
        level = meter.reserve_garden(100'000, GardenUse::small, now);
        meter.give_back_garden(level);
    }
    EXPECT_GE(level, Meter::kGardenRate / 100 - 20);
    EXPECT_LE(level, Meter::kGardenRate / 100);
}

TEST(Meter, LargeMessagesLeaveHalfOfTheGardenToSmallOnes) {
    Meter meter(with_garden());
    EXPECT_EQ(meter.reserve_garden(kForever, GardenUse::large, kStart), Meter::kGardenBurst / 2);
    EXPECT_EQ(meter.reserve_garden(1, GardenUse::large, kStart), 0U);
    EXPECT_EQ(meter.reserve_garden(kForever, GardenUse::small, kStart), Meter::kGardenBurst / 2);
    EXPECT_EQ(meter.reserve_garden(kForever, GardenUse::large, kStart + milliseconds(1)), 0U);
}

TEST(ReceivedBatch, PassesAllAndGivesBackWhatWasPaddingOrNotAuthentic) {
    Meter meter(with_garden());
    meter.set_allowance(10'000);
    ReceivedBatch batch(&meter);
    for (int i = 0; i < 3; ++i) batch.expect(1'008);
    ASSERT_TRUE(batch.reserve(kStart));
    EXPECT_TRUE(batch.deliver(packet_to("8.8.8.8", 1'000), Admission::paid));
    EXPECT_TRUE(batch.deliver(packet_to("10.0.0.1", 1'000), Admission::paid));
    batch.settle();  // the third was a forgery
    EXPECT_EQ(meter.read().received.bytes, 1'000U);
    EXPECT_EQ(meter.read().received.packets, 1U);
    EXPECT_EQ(meter.read().refused.packets, 0U);
    EXPECT_EQ(meter.reserve(kForever), 9'000U);
}

TEST(ReceivedBatch, TakesWhatFitsOpensSomeForTheGardenAndRefusesTheRest) {
    Meter meter(with_garden());
    meter.set_allowance(2'500);
    const auto share = Meter::kGardenBurst / 2 / 1'032;
    const auto messages = 2 + share + 5;
    ReceivedBatch batch(&meter);
    for (std::size_t i = 0; i < messages; ++i) batch.expect(1'000);
    ASSERT_FALSE(batch.reserve(kStart));
    std::map<Admission, std::size_t> seen;
    for (std::size_t i = 0; i < messages; ++i) ++seen[batch.admit(1'000)];
    EXPECT_EQ(seen[Admission::paid], 2U);
    EXPECT_EQ(seen[Admission::garden_only], share);
    EXPECT_EQ(seen[Admission::refused], 5U);
    EXPECT_TRUE(batch.deliver(packet_to("8.8.8.8", 1'000), Admission::paid));
    EXPECT_TRUE(batch.deliver(packet_to("10.0.0.1", 900), Admission::garden_only));
    EXPECT_FALSE(batch.deliver(packet_to("8.8.8.8", 1'000), Admission::garden_only));
    batch.settle();
    EXPECT_EQ(meter.read().received.bytes, 1'000U);
    EXPECT_EQ(meter.read().refused.packets, 6U);
    EXPECT_EQ(meter.read().refused.bytes, 6'000U);
    EXPECT_EQ(meter.reserve(kForever), 1'500U);
}

TEST(ReceivedBatch, ForgedMessagesLeaveTheGardensShareToPayments) {
    Meter meter(with_garden());
    for (int turn = 0; turn < 1'000; ++turn) {  // at one moment: nothing flows in
        ReceivedBatch batch(&meter);
        for (int i = 0; i < 10; ++i) batch.expect(100);
        ASSERT_FALSE(batch.reserve(kStart));
        for (int i = 0; i < 10; ++i) {
            const auto admission = batch.admit(100);
            ASSERT_EQ(admission, Admission::garden_only) << "turn " << turn;
            batch.discard(100, admission);
        }
        batch.settle();
    }
}

TEST(ReceivedBatch, ASmallPacketPassesBehindOneThatDoesNotFit) {
    Meter meter(MeterSettings{});
    meter.set_allowance(100);
    ReceivedBatch batch(&meter);
    batch.expect(1'000);
    batch.expect(64);
    ASSERT_FALSE(batch.reserve(kStart));
    EXPECT_EQ(batch.admit(1'000), Admission::refused);
    EXPECT_EQ(batch.admit(64), Admission::paid);
}

TEST(ReceivedBatch, KeepalivesOfAClosedGateCostTokens) {
    Meter meter(with_garden());
    const auto keepalives = Meter::kGardenBurst / kKeepaliveSize + 1;
    ReceivedBatch batch(&meter);
    for (std::size_t i = 0; i < keepalives; ++i) batch.expect(0);
    ASSERT_FALSE(batch.reserve(kStart));
    std::map<Admission, std::size_t> seen;
    for (std::size_t i = 0; i < keepalives; ++i) ++seen[batch.admit(0)];
    EXPECT_EQ(seen[Admission::garden_only], keepalives - 1);
    EXPECT_EQ(seen[Admission::refused], 1U);
}

TEST(ReceivedBatch, WithoutAMeterEverythingPasses) {
    ReceivedBatch batch;
    batch.expect(1'000);
    EXPECT_TRUE(batch.reserve(kStart));
    EXPECT_TRUE(batch.deliver(packet_to("8.8.8.8", 1'000), Admission::paid));
    batch.settle();
}

TEST(SentBatch, AdmitsTheFirstSegmentsThatFit) {
    Meter meter(with_garden());
    meter.set_allowance(10'000);
    SentBatch batch(&meter);
    const auto packet = packet_to("8.8.8.8", 3'560);  // 3 segments of 1,000, of 800 the last, behind equal headers
    EXPECT_EQ(batch.admit(packet, 4, 1'000, 800), 4U);
    EXPECT_EQ(batch.admit(packet, 4, 1'000, 800), 4U);
    EXPECT_EQ(batch.admit(packet, 4, 1'000, 800), 2U) << "2,400 are left";
    EXPECT_EQ(batch.admit(packet, 4, 1'000, 400), 0U) << "the last would fit, the first does not";
    EXPECT_EQ(batch.admit(packet_to("10.0.0.1", 1'000), 4, 1'000, 800), 4U) << "to the garden, and not counted";
    EXPECT_EQ(batch.admit(packet_to("8.8.8.8", 400), 1, 400, 400), 1U);
    batch.settle();
    const auto reading = meter.read();
    EXPECT_EQ(reading.sent.bytes, 10'000U);
    EXPECT_EQ(reading.sent.packets, 11U);
    EXPECT_EQ(reading.refused.bytes, 1'800U + 3'400U);
    EXPECT_EQ(reading.refused.packets, 2U + 4U);
    EXPECT_EQ(meter.reserve(1), 0U);
}

TEST(SentBatch, OnlyWhatHasAChanceWaitsForASession) {
    Meter meter(with_garden());
    SentBatch batch(&meter);
    EXPECT_FALSE(batch.may_wait(packet_to("8.8.8.8", 100), 3, 100));
    EXPECT_TRUE(batch.may_wait(packet_to("10.0.0.1", 100), 3, 100));
    meter.set_allowance(100);
    EXPECT_TRUE(batch.may_wait(packet_to("8.8.8.8", 100), 3, 100));
    batch.settle();
    EXPECT_EQ(meter.read().refused.bytes, 300U);
    EXPECT_EQ(meter.read().sent.bytes, 0U);
}

/// What one data path does, as fast as it can: batches of which a part turns out not to count.
void carry(Meter& meter, std::uint64_t seed, std::uint64_t until, std::atomic<std::uint64_t>& passed) {
    test::SeededRng random(seed);
    while (passed.load(std::memory_order_relaxed) + 1'500 < until) {
        const auto size = 40 + random.below(1'461);
        SentBatch out(&meter);
        const auto sent = out.admit(packet_to("8.8.8.8", size), 1 + random.below(44), size, size);
        out.settle();
        ReceivedBatch in(&meter);
        in.expect(1'500);
        in.expect(1'500);
        const bool all = in.reserve(kStart);
        std::uint64_t received = 0;
        for (int i = 0; i < 2; ++i) {
            const auto admission = all ? Admission::paid : in.admit(1'500);
            if (admission == Admission::refused || random.chance(300)) continue;
            if (in.deliver(packet_to("8.8.8.8", size), admission)) received += size;
        }
        in.settle();
        passed.fetch_add(sent * size + received, std::memory_order_relaxed);
    }
}

TEST(Meter, NoThreadPassesMoreThanTheAllowance) {
    constexpr std::uint64_t kStep = 1 << 20;
    constexpr std::uint64_t kSteps = 16;
    Meter meter(MeterSettings{});
    std::atomic<std::uint64_t> passed{0};
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] { carry(meter, i, kStep * kSteps, passed); });
    }
    for (std::uint64_t step = 1; step <= kSteps; ++step) {
        meter.set_allowance(step * kStep);
        // Until it is used up but for less than a packet of each thread.
        while (meter.has_left(6'000)) EXPECT_LE(meter.read().passed_bytes(), step * kStep);
        EXPECT_LE(meter.read().passed_bytes(), step * kStep);
    }
    for (auto& thread : threads) thread.join();
    EXPECT_LE(passed, kStep * kSteps);
    EXPECT_EQ(meter.read().passed_bytes(), passed);
    EXPECT_EQ(meter.reserve(kForever), kStep * kSteps - passed) << "all that was not used came back";
}

}  // namespace
}  // namespace myst::wireguard
