#include "myst/chain/fee_policy.hpp"

#include <gtest/gtest.h>

namespace myst::chain {
namespace {

constexpr std::uint64_t kGwei = 1'000'000'000;

MarketFees market(std::uint64_t base_gwei, std::uint64_t priority_gwei) {
    return {Uint256(base_gwei) * kGwei, Uint256(priority_gwei) * kGwei};
}

FeeQuote quote(std::uint64_t max_fee, std::uint64_t priority) {
    return {Uint256(max_fee) * kGwei, Uint256(priority) * kGwei};
}

TEST(FeePolicy, OffersTwiceTheBaseFeeUpToTheLimit) {
    const FeeLimits limits;
    EXPECT_EQ(*choose_fees(market(10, 2), limits, {}), quote(22, 2));
    EXPECT_EQ(*choose_fees(market(10, 9), limits, {}), quote(25, 5)) << "the suggested priority fee is limited";
    EXPECT_EQ(*choose_fees(market(150, 2), limits, {}), quote(200, 2));
    EXPECT_TRUE(choose_fees(market(198, 2), limits, {}));
    const auto dear = choose_fees(market(199, 2), limits, {});
    ASSERT_FALSE(dear);
    EXPECT_EQ(dear.error().code, ErrorCode::limit_exceeded);
    EXPECT_FALSE(choose_fees({(Uint256(1) << 255), 1}, limits, {})) << "no overflow";
}

TEST(FeePolicy, WithholdsWhatIsOutOfProportionToTheMedian) {
    const FeeLimits limits;
    const Uint256 median = kGwei;
    EXPECT_TRUE(choose_fees(market(20, 1), limits, median));
    EXPECT_FALSE(choose_fees(market(21, 1), limits, median));
    EXPECT_TRUE(choose_fees(market(10, 1), limits, Uint256(1))) << "cheap enough not to be compared";
    EXPECT_FALSE(choose_fees(market(11, 1), limits, Uint256(1)));
}

TEST(FeePolicy, TheMedianNeedsSamplesAndFollowsALastingChange) {
    BaseFeeHistory history;
    for (std::size_t i = 1; i < BaseFeeHistory::kFewSamples; ++i) history.add(10);
    EXPECT_FALSE(history.median());
    history.add(10);
    EXPECT_EQ(*history.median(), 10);
    for (std::size_t i = 0; i < BaseFeeHistory::kSamples; ++i) history.add(10);
    for (std::size_t i = 0; i < BaseFeeHistory::kSamples / 2; ++i) history.add(1000);
    EXPECT_EQ(*history.median(), 10) << "half an hour of lies does not move it";
    history.add(1000);
    EXPECT_EQ(*history.median(), 1000);
}

TEST(FeePolicy, AReplacementRaisesBothFeesByAnEighth) {
    const FeeLimits limits;
    for (const std::uint64_t old_max : {0U, 1U, 7U, 8U, 9U, 1000U}) {
        for (const std::uint64_t old_priority : {0U, 1U, 8U, 1000U}) {
            const FeeQuote old{old_max, std::min(old_priority, old_max)};
            const auto raised = raise_fees(old, {old.max_fee + 1, old.priority}, limits);
            ASSERT_TRUE(raised && *raised);
            EXPECT_GE((*raised)->max_fee * 8, old.max_fee * 9);
            EXPECT_GE((*raised)->priority * 8, old.priority * 9);
            EXPECT_GT((*raised)->max_fee, old.max_fee);
            EXPECT_GT((*raised)->priority, old.priority);
            EXPECT_GE((*raised)->max_fee, (*raised)->priority);
        }
    }
    EXPECT_EQ(**raise_fees(quote(10, 1), quote(90, 5), limits), quote(90, 5)) << "what the market wants, if it is more";
}

TEST(FeePolicy, NothingIsReplacedInVainOrBeyondTheLimit) {
    const FeeLimits limits;
    EXPECT_FALSE(*raise_fees(quote(10, 2), quote(10, 2), limits)) << "fees have not risen";
    EXPECT_FALSE(*raise_fees(quote(10, 2), quote(5, 1), limits));
    EXPECT_TRUE(*raise_fees(quote(10, 2), quote(9, 3), limits)) << "one of the two has";
    const auto beyond = raise_fees(quote(180, 2), quote(200, 2), limits);
    ASSERT_FALSE(beyond);
    EXPECT_EQ(beyond.error().code, ErrorCode::limit_exceeded);
    EXPECT_TRUE(*raise_fees(quote(177, 2), quote(200, 2), limits));
}

TEST(FeePolicy, TheHourIsLimited) {
    FeeLimits limits;
    limits.max_per_hour = 100;
    EXPECT_TRUE(check_hour(40, 60, limits));
    const auto beyond = check_hour(40, 61, limits);
    ASSERT_FALSE(beyond);
    EXPECT_EQ(beyond.error().code, ErrorCode::limit_exceeded);
    codec::Transaction1559 transaction;
    transaction.max_fee_per_gas = 7;
    transaction.gas_limit = 21000;
    EXPECT_EQ(highest_cost(transaction), 147'000);
}

}  // namespace
}  // namespace myst::chain
