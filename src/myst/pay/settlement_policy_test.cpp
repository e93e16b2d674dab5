// When vouchers are settled, and which together.
#include "myst/pay/settlement_policy.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <numeric>

namespace myst::pay {
namespace {

constexpr UnixTime kNow{seconds(1'800'000'000)};
constexpr seconds kHour{3600};
constexpr seconds kDay = 24 * kHour;

/// A million gas costs 10,000 units: a transaction 550, a reserved voucher 110.
SettlementTerms terms() {
    SettlementTerms terms;
    terms.trigger = Amount(1'000'000);
    terms.minimum = Amount(50);
    terms.gas_price = Amount(10'000);
    terms.overhead_percent = 2;
    terms.margin = 16 * kHour;
    return terms;
}

Claim claim(std::uint64_t gain) {
    Claim claim;
    claim.gain = Amount(gain);
    claim.gas = kReservedGas;
    claim.in_session = true;
    claim.since = kNow;
    return claim;
}

SettleReason alone(const SettlementTerms& terms, const Claim& claim, UnixTime now = kNow) {
    return plan_settlement(terms, {claim}, now).front();
}

TEST(SettlementPolicy, WaitsUntilGasIsAsSmallAPartAsItMayBe) {
    EXPECT_EQ(alone(terms(), claim(32'999)), SettleReason::none) << "660 is more than 2 % of it";
    EXPECT_EQ(alone(terms(), claim(33'000)), SettleReason::overhead);
    auto never = terms();
    never.overhead_percent = 0;
    EXPECT_EQ(alone(never, claim(1'000'000'000)), SettleReason::none);
    auto free = terms();
    free.gas_price = Amount{};
    EXPECT_EQ(alone(free, claim(50)), SettleReason::overhead);
}

TEST(SettlementPolicy, SeveralConsumersShareTheTransaction) {
    const std::vector<Claim> five(5, claim(11'000));
    EXPECT_EQ(plan_settlement(terms(), {five.begin(), five.begin() + 4}, kNow), std::vector(4, SettleReason::none));
    EXPECT_EQ(plan_settlement(terms(), five, kNow), std::vector(5, SettleReason::overhead));
}

TEST(SettlementPolicy, WhatPaysForItsPartJoinsAnUrgentOne) {
    auto urgent = claim(5'000);
    urgent.on_signature = Amount(1'000'001);
    const auto plan = plan_settlement(terms(), {claim(5'500), urgent, claim(5'499), claim(10)}, kNow);
    EXPECT_EQ(plan, (std::vector{SettleReason::joined, SettleReason::trigger, SettleReason::none, SettleReason::none}));
}

TEST(SettlementPolicy, TheTriggerIsTheMostThatMayRestOnASignature) {
    auto exposed = claim(5'000);
    exposed.on_signature = Amount(1'000'000);
    EXPECT_EQ(alone(terms(), exposed), SettleReason::none);
    exposed.on_signature = Amount(1'000'001);
    EXPECT_EQ(alone(terms(), exposed), SettleReason::trigger);
}

TEST(SettlementPolicy, APayerThatLeavesIsSettledAtOnceOrAtTheMargin) {
    auto leaving = claim(5'000);
    leaving.deadline = kNow + kDay;
    EXPECT_EQ(alone(terms(), leaving), SettleReason::none) << "its session goes on and pays more";
    EXPECT_EQ(alone(terms(), leaving, kNow + 8 * kHour - seconds(1)), SettleReason::none);
    EXPECT_EQ(alone(terms(), leaving, kNow + 8 * kHour), SettleReason::deadline);
    leaving.in_session = false;
    EXPECT_EQ(alone(terms(), leaving), SettleReason::leaving);
}

TEST(SettlementPolicy, SessionEndAndAgeAreTheOwnersChoice) {
    auto over = claim(5'000);
    over.in_session = false;
    EXPECT_EQ(alone(terms(), over, kNow + 1000 * kDay), SettleReason::none);
    auto choosy = terms();
    choosy.at_session_end = true;
    EXPECT_EQ(alone(choosy, over), SettleReason::session_end);
    over.in_session = true;
    EXPECT_EQ(alone(choosy, over), SettleReason::none);
    choosy.max_age = 7 * kDay;
    EXPECT_EQ(alone(choosy, over, kNow + 7 * kDay - seconds(1)), SettleReason::none);
    EXPECT_EQ(alone(choosy, over, kNow + 7 * kDay), SettleReason::age);
}

TEST(SettlementPolicy, NothingIsSettledAtALossOrBelowTheMinimum) {
    auto gone_soon = claim(660);
    gone_soon.deadline = kNow;
    EXPECT_EQ(alone(terms(), gone_soon), SettleReason::none);
    gone_soon.gain = Amount(661);
    EXPECT_EQ(alone(terms(), gone_soon), SettleReason::deadline);
    auto choosy = terms();
    choosy.minimum = Amount(662);
    EXPECT_EQ(alone(choosy, gone_soon), SettleReason::none);
    gone_soon.gain = Amount(400);
    EXPECT_EQ(plan_settlement(terms(), {gone_soon, gone_soon}, kNow), std::vector(2, SettleReason::deadline))
        << "together they are worth it";
}

TEST(SettlementPolicy, GasIsCountedByWhatTheLaneHolds) {
    EXPECT_EQ(gas_of(Amount(5), Amount(0)), kFirstGas);
    EXPECT_EQ(gas_of(Amount(5), Amount(5)), kReservedGas);
    EXPECT_EQ(gas_of(Amount(6), Amount(5)), kUnreservedGas);
    EXPECT_EQ(gas_of(Amount(5), Amount(5), std::uint16_t{0}), kReservedGas + kTickVoucherGas);
    const auto full_chain = gas_of(Amount(5), Amount(5), std::uint16_t{64});
    EXPECT_GE(full_chain, 22'778U) << "settle_ticks_marginal_50_reserved of contracts/gas.json";
    EXPECT_LE(full_chain, 24'000U);
    EXPECT_EQ(base_gas(1, 0), kTransactionGas);
    EXPECT_EQ(base_gas(51, 1), 3 * kTransactionGas);
    EXPECT_EQ(base_gas(0, 0), 0U);
    EXPECT_EQ(gas_cost(terms(), 1), Amount(1)) << "rounded up";
    auto absurd = terms();
    absurd.gas_price = Amount::max();
    EXPECT_EQ(gas_cost(absurd, ~std::uint64_t{0}), Amount::max());
}

Claim arbitrary_claim(const std::array<std::uint16_t, 4>& seed) {
    auto any = claim(seed[0]);
    any.on_signature = Amount(std::uint64_t{seed[1]} * 40);
    any.gas = seed[2] % 3 == 0 ? kFirstGas : seed[2] % 3 == 1 ? kUnreservedGas : kReservedGas;
    any.in_session = seed[2] % 2 == 0;
    if (seed[3] % 3 == 0) any.deadline = kNow + seconds(seed[3]);
    any.since = kNow - seconds(seed[3]);
    return any;
}

/// Whatever is held: a plan never costs more than it brings, never a larger part than the overhead unless something is
/// urgent, and leaves nothing behind that is due and would pay for its part of the transaction.
TEST(SettlementPolicy, EveryPlanIsWorthItsGasAndLeavesNothingThatIsDue) {
    EXPECT_TRUE(
        rc::check([](const std::vector<std::array<std::uint16_t, 4>>& seeds, std::uint16_t gas_price, bool at_end) {
            auto chosen = terms();
            chosen.gas_price = Amount(gas_price);
            chosen.at_session_end = at_end;
            std::vector<Claim> claims;
            for (const auto& seed : seeds) claims.push_back(arbitrary_claim(seed));
            const auto plan = plan_settlement(chosen, claims, kNow);
            RC_ASSERT(plan.size() == claims.size());
            Amount gain;
            std::uint64_t gas = kTransactionGas;
            bool any = false;
            bool urgent = false;
            for (std::size_t i = 0; i < plan.size(); ++i) {
                if (plan[i] == SettleReason::none) continue;
                RC_ASSERT(claims[i].gain >= chosen.minimum);
                gain = gain.plus_saturating(claims[i].gain);
                gas += claims[i].gas;
                any = true;
                urgent = urgent || (plan[i] != SettleReason::overhead && plan[i] != SettleReason::joined);
            }
            if (any) RC_ASSERT(gas_cost(chosen, gas) < gain);
            if (any && !urgent)
                RC_ASSERT(gas_cost(chosen, gas).units() * 100 <= gain.units() * chosen.overhead_percent);
            for (std::size_t i = 0; i < plan.size(); ++i) {
                const auto& one = claims[i];
                const bool at_risk = one.on_signature > chosen.trigger || one.deadline;
                if (plan[i] != SettleReason::none || one.gain < chosen.minimum || !at_risk) continue;
                if (one.deadline && one.in_session && one.on_signature <= chosen.trigger &&
                    kNow + chosen.margin < *one.deadline) {
                    continue;
                }
                RC_ASSERT(gas_cost(chosen, gas + one.gas) >= gain.plus_saturating(one.gain) ||
                          one.gain <= gas_cost(chosen, one.gas));
            }
        }));
}

TEST(Deadlines, TheEarliestCountsUntilALaterOneIsFinal) {
    constexpr Address kPayer{{1}};
    constexpr Address kOther{{2}};
    Deadlines deadlines(96);
    EXPECT_EQ(deadlines.observe(kPayer, std::nullopt, 100), std::nullopt);
    EXPECT_EQ(deadlines.observe(kPayer, kNow, 110), kNow);
    EXPECT_EQ(deadlines.observe(kPayer, kNow + kDay, 111), kNow) << "a reorganisation could undo the new announcement";
    EXPECT_EQ(deadlines.observe(kPayer, std::nullopt, 205), kNow);
    EXPECT_EQ(deadlines.observe(kOther, std::nullopt, 205), std::nullopt);
    EXPECT_EQ(deadlines.observe(kPayer, kNow + kDay, 206), kNow + kDay);
    EXPECT_EQ(deadlines.observe(kPayer, kNow, 207), kNow) << "an earlier one counts at once";
    EXPECT_EQ(deadlines.observe(kPayer, kNow, 400), kNow);
    EXPECT_EQ(deadlines.observe(kPayer, std::nullopt, 401), kNow);
    EXPECT_EQ(deadlines.observe(kPayer, std::nullopt, 496), std::nullopt);
}

}  // namespace
}  // namespace myst::pay
