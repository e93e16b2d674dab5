// The rate that a status shows.
#include "myst/node/rate_meter.hpp"

#include <gtest/gtest.h>

namespace myst::node {
namespace {

constexpr MonotonicTime kStart{};

TEST(RateMeter, KnowsNothingFromOneReading) {
    RateMeter meter;
    EXPECT_EQ(meter.per_second(kStart), 0U);
    meter.observe(kStart, 1000);
    EXPECT_EQ(meter.per_second(kStart), 0U);
    EXPECT_EQ(meter.per_second(kStart + seconds(1)), 0U);
}

TEST(RateMeter, ASteadyFlowHasItsRateHoweverOftenItIsRead) {
    for (const auto step : {milliseconds(4), milliseconds(50), milliseconds(333)}) {
        RateMeter meter;
        auto now = kStart;
        for (std::uint64_t i = 0; now - kStart < seconds(10); ++i, now += step) {
            meter.observe(now, i * static_cast<std::uint64_t>(step.count()) * 7);
        }
        EXPECT_NEAR(static_cast<double>(meter.per_second(now - step)), 7000, 1) << step.count();
    }
}

TEST(RateMeter, AFlowThatStoppedComesToNothing) {
    RateMeter meter;
    for (int i = 0; i <= 20; ++i) meter.observe(kStart + milliseconds(100 * i), static_cast<std::uint64_t>(i) * 1000);
    EXPECT_EQ(meter.per_second(kStart + seconds(2)), 10'000U);
    EXPECT_EQ(meter.per_second(kStart + seconds(3)), 5'000U);
    EXPECT_EQ(meter.per_second(kStart + seconds(5)), 0U);
}

TEST(RateMeter, ACounterThatBeginsAnewIsNoFlow) {
    RateMeter meter;
    meter.observe(kStart, 1'000'000);
    meter.observe(kStart + seconds(1), 10);
    EXPECT_EQ(meter.per_second(kStart + seconds(1)), 0U);
    meter.observe(kStart + seconds(2), 110);
    EXPECT_EQ(meter.per_second(kStart + seconds(2)), 100U);
}

}  // namespace
}  // namespace myst::node
