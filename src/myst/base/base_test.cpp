#include <gtest/gtest.h>

#include "myst/base/amount.hpp"
#include "myst/base/backoff.hpp"
#include "myst/base/bytes.hpp"
#include "myst/base/clock.hpp"
#include "myst/base/failpoint.hpp"
#include "myst/base/locked.hpp"
#include "myst/base/secret.hpp"
#include "myst/base/secret_text.hpp"
#include "myst/base/token_bucket.hpp"

namespace myst {
namespace {

TEST(Hex, RoundTripsAndIsStrict) {
    EXPECT_EQ(to_hex0x(*parse_hex("0xDEadbeef")), "0xdeadbeef");
    EXPECT_TRUE(parse_hex("")->empty());
    EXPECT_FALSE(parse_hex("abc"));
    EXPECT_FALSE(parse_hex("0xzz"));
    EXPECT_FALSE(parse_hex("0x 1"));
    EXPECT_FALSE(Address::parse("0x1234"));
    EXPECT_EQ(Address::parse("0x00000000000000000000000000000000000000ff")->bytes[19], 0xff);
}

TEST(Amount, ParsesStrictDecimals) {
    EXPECT_EQ(Amount::parse("0")->units(), 0U);
    EXPECT_EQ(Amount::parse("79228162514264337593543950335")->to_string(), Amount::max().to_string());
    for (const char* bad : {"", "-1", "+1", "01", "1.0", "1e3", " 1", "79228162514264337593543950336", "0x1",
                            "340282366920938463463374607431768211456"}) {
        EXPECT_FALSE(Amount::parse(bad)) << bad;
    }
}

TEST(Amount, NeverWraps) {
    EXPECT_FALSE(Amount::max().plus(Amount(1)));
    EXPECT_FALSE(Amount(1).minus(Amount(2)));
    EXPECT_EQ(Amount::max().plus_saturating(Amount(1)), Amount::max());
    EXPECT_EQ(Amount(1).minus_saturating(Amount(2)), Amount(0));
    EXPECT_FALSE(Amount::from_wide(Uint128{1} << 96));
}

TEST(Amount, TokensRoundTrip) {
    EXPECT_EQ(parse_tokens("2.5")->to_string(), "2500000000000000000");
    EXPECT_EQ(format_tokens(*parse_tokens("2.5")), "2.5");
    EXPECT_EQ(format_tokens(Amount(1)), "0.000000000000000001");
    EXPECT_EQ(format_tokens(*parse_tokens("10")), "10");
    for (const char* bad : {"", ".", "1.", ".5", "1.0000000000000000001", "-1", "1,5", "1e3", "79228162515"}) {
        EXPECT_FALSE(parse_tokens(bad)) << bad;
    }
}

TEST(ParseU64, RejectsOverflow) {
    EXPECT_EQ(*parse_u64("18446744073709551615"), ~std::uint64_t{0});
    EXPECT_FALSE(parse_u64("18446744073709551616"));
    EXPECT_FALSE(parse_u64("1x"));
}

TEST(ManualClock, MovesOnlyWhenTold) {
    ManualClock clock;
    const auto start = clock.now();
    clock.advance(milliseconds(1500));
    EXPECT_EQ(clock.now() - start, milliseconds(1500));
    EXPECT_EQ(clock.unix_now(), UnixTime(seconds(1'700'000'001)));
}

TEST(TokenBucket, AllowsABurstAndThenTheRate) {
    ManualClock clock;
    TokenBucket bucket(10, 3, clock.now());
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(clock.now()));
    EXPECT_FALSE(bucket.take(clock.now()));
    clock.advance(milliseconds(99));
    EXPECT_FALSE(bucket.take(clock.now()));
    clock.advance(milliseconds(1));
    EXPECT_TRUE(bucket.take(clock.now()));
    clock.advance(std::chrono::hours(24 * 365));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.take(clock.now()));
    EXPECT_FALSE(bucket.take(clock.now())) << "a long pause gives a burst, not more";
    bucket.give_back();
    EXPECT_TRUE(bucket.take(clock.now()));
    EXPECT_FALSE(bucket.take(clock.now()));
}

TEST(Secret, MoveWipesTheSource) {
    Secret<4> first;
    first.expose_mutable()[0] = 7;
    const Secret<4> second = std::move(first);
    EXPECT_EQ(second.expose()[0], 7);
    EXPECT_EQ(first.expose()[0], 0);  // NOLINT(bugprone-use-after-move): this is what is tested
}

TEST(SecretText, GrowsAndMoves) {
    SecretText text("a=");
    for (int i = 0; i < 100; ++i) text.append_hex(std::array<std::uint8_t, 2>{0x0f, 0xa0}).append("\n");
    EXPECT_EQ(text.size(), 502U);
    EXPECT_TRUE(text.view().starts_with("a=0fa0\n0fa0\n"));
    auto other = std::move(text);
    EXPECT_EQ(other.size(), 502U);
    EXPECT_TRUE(text.empty());  // NOLINT(bugprone-use-after-move): this is what is tested
    text = SecretText("b");
    EXPECT_EQ(text, "b");
    other.clear();
    EXPECT_EQ(other.append("c"), "c");
}

TEST(Locked, HoldsItsObjectAndGivesZeroedMemoryBack) {
    struct Keys {
        Secret<32> one;
        Secret<32> two;
    };
    std::vector<Locked<Keys>> many;
    for (std::uint8_t i = 0; i < 250; ++i) {  // more than a chunk
        many.emplace_back();
        EXPECT_TRUE(many.back()->one.equals(Secret<32>{}) && many.back()->two.equals(Secret<32>{}));
        many.back()->one.expose_mutable()[31] = i;
    }
    for (std::uint8_t i = 0; i < 250; ++i) EXPECT_EQ(many[i]->one.expose()[31], i);
    many.clear();
    const Locked<Keys> again;
    EXPECT_TRUE(again->one.equals(Secret<32>{}) && again->two.equals(Secret<32>{}));
    Locked<Secret<32>> key(Secret<32>{});
    key->expose_mutable()[0] = 9;
    const auto moved = std::move(key);
    EXPECT_EQ(moved->expose()[0], 9);
}

TEST(Failpoint, IsHeardOnlyWhileSomebodyListens) {
    std::vector<std::string> places;
    failpoint("before");
    {
        const FailpointWatch watch([&](std::string_view place) { places.emplace_back(place); });
        failpoint("first");
        failpoint("second");
    }
    failpoint("after");
    EXPECT_EQ(places, (std::vector<std::string>{"first", "second"}));
}

TEST(Error, ContextGoesInFront) {
    const auto error = Error{ErrorCode::io, "disk is full", "free some space"}.in("open ledger");
    EXPECT_EQ(error.describe(), "open ledger: disk is full (free some space)");
}

TEST(Backoff, DoublesUpToTheLongestPause) {
    EXPECT_EQ(doubled(milliseconds(250), 0, milliseconds(5'000)), milliseconds(250));
    EXPECT_EQ(doubled(milliseconds(250), 3, milliseconds(5'000)), milliseconds(2'000));
    EXPECT_EQ(doubled(milliseconds(250), 4'000'000'000, milliseconds(5'000)), milliseconds(5'000));
    EXPECT_EQ(doubled(milliseconds(0), 4'000'000'000, milliseconds(5'000)), milliseconds(0));
    EXPECT_EQ(doubled(milliseconds(9), 1, milliseconds(4)), milliseconds(4));
}

}  // namespace
}  // namespace myst
