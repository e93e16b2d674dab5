#include "myst/api/gatekeeper.hpp"

#include <gtest/gtest.h>

namespace myst::api {
namespace {

constexpr std::string_view kToken = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
constexpr std::string_view kGood = "Bearer 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
constexpr std::string_view kBad = "Bearer 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdee";

Gatekeeper gatekeeper(GateLimits limits = {}) {
    return {{"127.0.0.1:4449", "localhost:4449", "[::1]:4449"}, digest_of_token(kToken), limits};
}

unsigned source_status(std::vector<std::string_view> host, std::vector<std::string_view> origin = {}) {
    const auto refused = gatekeeper().check_source({std::move(host), std::move(origin), {}});
    return refused ? refused->status : 200;
}

TEST(Gatekeeper, ServesItsOwnNamesOnly) {
    for (const auto* host : {"127.0.0.1:4449", "localhost:4449", "[::1]:4449"}) EXPECT_EQ(source_status({host}), 200U);
    for (const auto* host : {"evil.test:4449", "127.0.0.1", "127.0.0.1:4450", "localhost", "LOCALHOST:4449", "",
                             "localhost.:4449", "localhost:4449 ", "127.0.0.1:4449.evil.test", "127.1:4449", "[::1]"}) {
        EXPECT_EQ(source_status({host}), 421U) << host;
    }
    EXPECT_EQ(source_status({}), 400U);
    EXPECT_EQ(source_status({"localhost:4449", "localhost:4449"}), 400U);
}

TEST(Gatekeeper, AcceptsPagesOfTheSameHostOnly) {
    EXPECT_EQ(source_status({"localhost:4449"}, {"http://localhost:4449"}), 200U);
    for (const auto* origin : {"null", "file://", "https://localhost:4449", "http://localhost", "http://localhost:4450",
                               "http://127.0.0.1:4449", "http://evil.test", "http://localhost:4449.evil.test", ""}) {
        EXPECT_EQ(source_status({"localhost:4449"}, {origin}), 403U) << origin;
    }
    EXPECT_EQ(source_status({"localhost:4449"}, {"http://localhost:4449", "http://localhost:4449"}), 403U);
}

TEST(Gatekeeper, WantsTheTokenExactly) {
    auto keeper = gatekeeper();
    EXPECT_FALSE(keeper.check_token({{}, {}, {kGood}}, {}));
    const std::string longer = std::string(kGood) + "0";
    const std::string huge = "Bearer " + std::string(10'000, '0');
    for (const std::string_view value :
         {kBad, kToken, kGood.substr(0, kGood.size() - 1), std::string_view(longer), std::string_view("Bearer "),
          std::string_view(""), std::string_view(huge), std::string_view("Basic bXlzdDpteXN0")}) {
        const auto refused = keeper.check_token({{}, {}, {value}}, {});
        ASSERT_TRUE(refused) << value;
        EXPECT_EQ(refused->status, 401U);
        EXPECT_EQ(refused->error.describe().find(kToken.substr(0, 16)), std::string::npos);
    }
    EXPECT_TRUE(keeper.check_token({{}, {}, {}}, {}));
    EXPECT_TRUE(keeper.check_token({{}, {}, {kGood, kGood}}, {}));
}

TEST(Gatekeeper, GuessingIsSlowedDownAndTheRightTokenIsNot) {
    auto keeper = gatekeeper();
    const MonotonicTime start{};
    const auto delay_at = [&](MonotonicTime now) { return keeper.check_token({{}, {}, {kBad}}, now)->delay; };
    for (int i = 0; i < 5; ++i) EXPECT_EQ(delay_at(start + seconds(i)), milliseconds(0));
    EXPECT_EQ(delay_at(start + seconds(6)), milliseconds(1000));
    EXPECT_FALSE(keeper.check_token({{}, {}, {kGood}}, start + seconds(6)));
    EXPECT_EQ(delay_at(start + seconds(59)), milliseconds(1000));
    EXPECT_EQ(delay_at(start + seconds(60)), milliseconds(0)) << "the first one is a minute old";
    EXPECT_EQ(delay_at(start + seconds(60)), milliseconds(1000));
}

TEST(Gatekeeper, ABurstPassesAndThenTheSustainedRate) {
    GateLimits limits;
    limits.requests_per_second = 20;
    limits.burst = 10;
    auto keeper = gatekeeper(limits);
    MonotonicTime now{std::chrono::hours(1)};
    const auto passes = [&] { return !keeper.check_token({{}, {}, {kGood}}, now); };
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(passes()) << i;
    EXPECT_FALSE(passes());
    now += milliseconds(49);
    EXPECT_FALSE(passes());
    now += milliseconds(1);
    EXPECT_TRUE(passes());
    EXPECT_FALSE(passes());
    now += seconds(10);
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(passes()) << i;
    const auto refused = keeper.check_token({{}, {}, {kGood}}, now);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 429U);
}

}  // namespace
}  // namespace myst::api
