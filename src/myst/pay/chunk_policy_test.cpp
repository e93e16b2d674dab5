// How large chunks are, and when ticks pay for them.
#include "myst/pay/chunk_policy.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace myst::pay {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kToken = 1'000'000'000'000'000'000;

/// The defaults: 0.1 token a GiB, a risk limit of 0.01, a signature in 60 microseconds.
ChunkTerms terms() {
    ChunkTerms terms;
    terms.tariff = {Amount(kToken / 10), Amount{}};
    terms.risk_limit = Amount(kToken / 100);
    terms.voucher.processor = std::chrono::microseconds(60);
    return terms;
}

/// Terms of all kinds, also such as make no sense.
ChunkTerms arbitrary_terms() {
    ChunkTerms terms;
    const auto amount = [] {
        const auto bits = *rc::gen::inRange(0, 64);
        return Amount(*rc::gen::arbitrary<std::uint64_t>() >> bits);
    };
    terms.tariff = {amount(), amount()};
    terms.risk_limit = amount();
    terms.voucher.processor = std::chrono::nanoseconds(*rc::gen::inRange(0, 20'000'000));
    terms.voucher.bytes = *rc::gen::inRange<std::uint64_t>(0, 2'000);
    const auto a = *rc::gen::inRange(kLeastChunk, kMostChunk + 1);
    const auto b = *rc::gen::inRange(kLeastChunk, kMostChunk + 1);
    terms.bounds = {std::min(a, b), std::max(a, b)};
    return terms;
}

std::uint64_t arbitrary_rate() {
    return *rc::gen::arbitrary<std::uint64_t>() >> *rc::gen::inRange(0, 64);
}

Amount step_of(const ChunkTerms& terms, std::uint64_t chunk) {
    return cost_of(terms.tariff, chunk + terms.tolerance_bytes, terms.time_slice);
}

/// The worked table of docs/protocol.md.
TEST(Chunk, TheWorkedTable) {
    const auto chosen = [](std::uint64_t megabits, ChunkTerms of = terms()) {
        return choose_chunk(of, megabits * 125'000);
    };
    EXPECT_EQ(chosen(0), (ChunkChoice{64 << 10, false}));
    EXPECT_EQ(chosen(1), (ChunkChoice{125'000, false}));
    EXPECT_EQ(chosen(10), (ChunkChoice{1'250'000, false}));
    EXPECT_EQ(chosen(100), (ChunkChoice{12'500'000, false}));
    EXPECT_EQ(chosen(1000), (ChunkChoice{16 * kMiB, false}));
    auto dear = terms();
    dear.tariff.per_gib = Amount(kToken);
    EXPECT_EQ(chosen(100, dear), (ChunkChoice{1'635'778, false})) << "a quarter of R, less the tolerance";
    auto weak = dear;
    weak.voucher.processor = std::chrono::milliseconds(5);
    EXPECT_EQ(chosen(10, weak), (ChunkChoice{1'250'000, false}));
    EXPECT_EQ(chosen(100, weak), (ChunkChoice{1'635'778, true})) << "vouchers would want 6 MB";
    auto fixed = terms();
    fixed.bounds = {kLeastChunk, kLeastChunk};
    EXPECT_EQ(chosen(10, fixed), (ChunkChoice{kLeastChunk, false}));
    EXPECT_EQ(chosen(100, fixed), (ChunkChoice{kLeastChunk, true}));
}

TEST(Chunk, StaysWithinItsBoundsAndAQuarterOfTheRiskLimit) {
    EXPECT_TRUE(rc::check([] {
        const auto of = arbitrary_terms();
        const auto chunk = choose_chunk(of, arbitrary_rate()).bytes;
        RC_ASSERT(chunk >= of.bounds.least && chunk <= of.bounds.most);
        if (chunk > of.bounds.least) RC_ASSERT(step_of(of, chunk).units() <= of.risk_limit.units() / 4);
    }));
}

TEST(Chunk, NeverRisksMoreThanTheLimitWhereAnyChunkIsWithinIt) {
    EXPECT_TRUE(rc::check([] {
        const auto of = arbitrary_terms();
        RC_PRE(step_of(of, of.bounds.least) <= of.risk_limit);
        ChunkPolicy policy(of);
        for (const auto mebibytes : *rc::gen::arbitrary<std::vector<std::uint16_t>>()) {
            RC_ASSERT(step_of(of, policy.choice().bytes) <= of.risk_limit);
            policy.observe(mebibytes * kMiB, milliseconds(*rc::gen::inRange(0, 5000)));
        }
        RC_ASSERT(step_of(of, policy.choice().bytes) <= of.risk_limit);
    }));
}

TEST(Chunk, IsMonotonicInEachInput) {
    EXPECT_TRUE(rc::check([] {
        const auto of = arbitrary_terms();
        const auto rate = arbitrary_rate();
        const auto chunk = choose_chunk(of, rate).bytes;
        const auto more = arbitrary_rate();
        RC_ASSERT(choose_chunk(of, rate + std::min(more, ~rate)).bytes >= chunk);
        auto other = of;
        other.risk_limit = of.risk_limit.plus_saturating(Amount(more));
        RC_ASSERT(choose_chunk(other, rate).bytes >= chunk);
        other = of;
        other.tariff.per_gib = of.tariff.per_gib.plus_saturating(Amount(more));
        RC_ASSERT(choose_chunk(other, rate).bytes <= chunk);
        other = of;
        other.tariff.per_hour = of.tariff.per_hour.plus_saturating(Amount(more));
        RC_ASSERT(choose_chunk(other, rate).bytes <= chunk);
        other = of;
        other.voucher.processor += std::chrono::nanoseconds(more % 1'000'000'000);
        RC_ASSERT(choose_chunk(other, rate).bytes >= chunk);
        RC_ASSERT(choose_chunk(other, rate).ticks >= choose_chunk(of, rate).ticks);
        other = of;
        other.voucher.bytes += more % 1'000;
        RC_ASSERT(choose_chunk(other, rate).bytes >= chunk);
    }));
}

/// Payments after which the chunk stays as it is at a new rate.
int payments_to_settle(ChunkPolicy& policy, std::uint64_t bytes_per_second) {
    for (int payments = 0;; ++payments) {
        const auto before = policy.choice();
        policy.observe(bytes_per_second, seconds(1));
        if (policy.choice() == before) return payments;
    }
}

TEST(Chunk, FollowsAHundredfoldRateWithinFourPayments) {
    ChunkPolicy policy(terms());
    EXPECT_LE(payments_to_settle(policy, 100'000), 4);
    EXPECT_EQ(payments_to_settle(policy, 10'000'000), 4);
    EXPECT_EQ(policy.choice().bytes, 10'000'000U);
    EXPECT_EQ(payments_to_settle(policy, 100'000), 4);
    EXPECT_EQ(policy.choice().bytes, 100'000U);
}

TEST(Chunk, NoStepIsLargerThanFourfold) {
    EXPECT_TRUE(rc::check([] {
        ChunkPolicy policy(arbitrary_terms());
        for (const auto& [mebibytes, time] :
             *rc::gen::arbitrary<std::vector<std::pair<std::uint16_t, std::uint16_t>>>()) {
            const auto before = policy.choice().bytes;
            policy.observe(mebibytes * kMiB, milliseconds(time));
            RC_ASSERT(policy.choice().bytes <= 4 * before);
            RC_ASSERT(policy.choice().bytes >= before / 4);
        }
    }));
}

TEST(Chunk, ARateThatWaversChangesNothing) {
    ChunkPolicy policy(terms());
    payments_to_settle(policy, 1'000'000);
    const auto settled = policy.choice();
    for (const std::uint64_t rate : {1'300'000U, 800'000U, 1'000'000U, 1'400'000U, 760'000U}) {
        policy.observe(rate, seconds(1));
        EXPECT_EQ(policy.choice(), settled) << rate;
    }
    policy.observe(1'600'000, seconds(1));
    EXPECT_EQ(policy.choice().bytes, 1'600'000U);
}

TEST(Chunk, TicksAreGivenUpOnlyWhereVouchersAreCheap) {
    auto fixed = terms();
    fixed.bounds = {kLeastChunk, kLeastChunk};  // a voucher is worth while up to 10.9 MB/s
    ChunkPolicy policy(fixed);
    policy.observe(10'000'000, seconds(1));
    EXPECT_FALSE(policy.choice().ticks);
    policy.observe(12'000'000, seconds(1));
    EXPECT_TRUE(policy.choice().ticks);
    policy.observe(10'000'000, seconds(1));
    EXPECT_TRUE(policy.choice().ticks) << "to and fro";
    policy.set_voucher_cost(std::chrono::nanoseconds(0));
    fixed.voucher.bytes = 100;
    policy = ChunkPolicy(fixed);
    EXPECT_FALSE(policy.choice().ticks);
}

TEST(Chunk, TheUserDecidesAboutTicks) {
    auto of = terms();
    of.tick_use = TickUse::always;
    EXPECT_TRUE(ChunkPolicy(of).choice().ticks);
    of.tick_use = TickUse::never;
    of.bounds = {kLeastChunk, kLeastChunk};
    ChunkPolicy policy(of);
    policy.observe(1'000'000'000, seconds(1));
    EXPECT_FALSE(policy.choice().ticks);
}

}  // namespace
}  // namespace myst::pay
