#include "myst/wireguard/replay_filter.hpp"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>

#include <set>

#include "myst/wireguard/constants.hpp"
#include "myst/wireguard/test_support/naive_models.hpp"

namespace myst::wireguard {
namespace {

// The sequence of the Linux kernel's own test of its filter, by what it says about each counter.
TEST(ReplayFilter, WindowOf8128) {
    constexpr auto kWindow = ReplayFilter::kWindow;
    ReplayFilter filter;
    EXPECT_TRUE(filter.accept(0));
    EXPECT_FALSE(filter.accept(0));
    EXPECT_TRUE(filter.accept(9));
    EXPECT_TRUE(filter.accept(8));
    EXPECT_FALSE(filter.accept(9));
    EXPECT_TRUE(filter.accept(kWindow + 10));
    EXPECT_FALSE(filter.accept(9)) << "one too old";
    EXPECT_TRUE(filter.accept(10)) << "the oldest that is told apart";
    EXPECT_FALSE(filter.accept(10));
    EXPECT_TRUE(filter.accept(3 * kWindow));
    for (std::uint64_t i = 2 * kWindow; i < 3 * kWindow; ++i) EXPECT_TRUE(filter.accept(i)) << i;
    for (std::uint64_t i = 0; i <= 3 * kWindow; ++i) EXPECT_FALSE(filter.accept(i)) << i;
}

TEST(ReplayFilter, CountersBeyondTheLimitAreRefusedAndMoveNothing) {
    ReplayFilter filter;
    EXPECT_TRUE(filter.accept(1));
    EXPECT_FALSE(filter.accept(kRejectAfterMessages));
    EXPECT_FALSE(filter.accept(~std::uint64_t{0}));
    EXPECT_TRUE(filter.accept(2));
    EXPECT_TRUE(filter.accept(kRejectAfterMessages - 1));
    EXPECT_FALSE(filter.accept(kRejectAfterMessages - 1));
    EXPECT_FALSE(filter.accept(3));
}

RC_GTEST_PROP(ReplayFilter, AgreesWithASetOfAllCounters, ()) {
    ReplayFilter filter;
    test::NaiveReplayFilter naive;
    const auto base =
        *rc::gen::elementOf(std::vector<std::uint64_t>{0, 8100, 1ULL << 32, kRejectAfterMessages - 30'000});
    std::uint64_t near = base;
    const auto steps = *rc::gen::container<std::vector<int>>(rc::gen::inRange(-9000, 9001));
    for (const int step : steps) {
        const auto counter = near + static_cast<std::uint64_t>(std::int64_t{step});
        const auto plausible = filter.plausible(counter);
        const auto accepted = naive.accept(counter);
        RC_ASSERT(plausible == accepted);
        RC_ASSERT(filter.accept(counter) == accepted);
        if (step % 3 != 0) near = counter;
        if (near < base) near = base;
    }
}

}  // namespace
}  // namespace myst::wireguard
