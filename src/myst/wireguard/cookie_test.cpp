#include "myst/wireguard/cookie.hpp"

#include <gtest/gtest.h>

#include "myst/wireguard/load_gauge.hpp"
#include "myst/wireguard/source_limiter.hpp"
#include "myst/wireguard/test_support/fixtures.hpp"

namespace myst::wireguard {
namespace {

using test::endpoint;
using test::ip;
using test::SeededRng;

class CookieTest : public testing::Test {
protected:
    SeededRng rng{11};
    ManualClock clock;
    TunnelKey busy = public_key_of(make_private_key(rng));
    Endpoint source = endpoint("192.0.2.1:1000");
    CookieChecker checker{busy};
    CookieGenerator generator{busy};

    Bytes message() {
        Initiation initiation;
        initiation.sender = 42;
        rng.fill(initiation.ephemeral.bytes);
        const auto encoded = initiation.encode();
        Bytes bytes(encoded.begin(), encoded.end());
        generator.add_macs(bytes, clock.now());
        return bytes;
    }
    bool mac2_valid(BytesView bytes, const Endpoint& from) { return checker.mac2_valid(bytes, from, clock.now(), rng); }
    /// The peer learns its cookie.
    void exchange_cookie() {
        const auto reply = checker.make_reply(message(), source, clock.now(), rng);
        ASSERT_TRUE(generator.accept_reply(reply, clock.now()));
    }
};

TEST_F(CookieTest, Mac1ProvesKnowledgeOfTheKey) {
    auto bytes = message();
    EXPECT_TRUE(checker.mac1_valid(bytes));
    EXPECT_FALSE(CookieChecker(public_key_of(make_private_key(rng))).mac1_valid(bytes));
    bytes[20] ^= 1;
    EXPECT_FALSE(checker.mac1_valid(bytes));
}

TEST_F(CookieTest, CookieIsForOneAddressAndPort) {
    EXPECT_FALSE(mac2_valid(message(), source));
    exchange_cookie();
    EXPECT_TRUE(mac2_valid(message(), source));
    EXPECT_FALSE(mac2_valid(message(), endpoint("192.0.2.1:1001")));
    EXPECT_FALSE(mac2_valid(message(), endpoint("192.0.2.2:1000")));
}

TEST_F(CookieTest, CookieIsUsedFor120Seconds) {
    exchange_cookie();
    const Bytes zeros(kMacSize);
    clock.advance(milliseconds(119'999));
    auto bytes = message();
    EXPECT_FALSE(std::equal(zeros.begin(), zeros.end(), bytes.end() - kMacSize));
    clock.advance(milliseconds(1));
    bytes = message();
    EXPECT_TRUE(std::equal(zeros.begin(), zeros.end(), bytes.end() - kMacSize));
}

TEST_F(CookieTest, SecretRotatesAfter120Seconds) {
    EXPECT_FALSE(mac2_valid(message(), source)) << "the secret is made now";
    clock.advance(milliseconds(60'000));
    exchange_cookie();
    clock.advance(milliseconds(59'999));
    EXPECT_TRUE(mac2_valid(message(), source));
    clock.advance(milliseconds(1));
    EXPECT_FALSE(mac2_valid(message(), source));
    exchange_cookie();
    EXPECT_TRUE(mac2_valid(message(), source));
}

TEST_F(CookieTest, ReplyIsTakenOnlyForAnOutstandingMac1AndOnce) {
    const auto bytes = message();
    const auto reply = checker.make_reply(bytes, source, clock.now(), rng);
    EXPECT_EQ(reply.receiver, 42U);
    CookieGenerator idle(busy);
    EXPECT_FALSE(idle.accept_reply(reply, clock.now())) << "it sent nothing";
    EXPECT_TRUE(generator.accept_reply(reply, clock.now()));
    EXPECT_FALSE(generator.accept_reply(reply, clock.now())) << "answered already";
    const auto old = checker.make_reply(bytes, source, clock.now(), rng);
    (void)message();
    EXPECT_FALSE(generator.accept_reply(old, clock.now())) << "made for an older message";
    CookieChecker stranger(public_key_of(make_private_key(rng)));
    EXPECT_FALSE(generator.accept_reply(stranger.make_reply(message(), source, clock.now(), rng), clock.now()));
}

TEST(SourceLimiter, TwentyPerSecondAfterABurstOfFive) {
    SourceLimiter limiter;
    ManualClock clock;
    const auto allowed = [&](std::string_view address, int attempts) {
        int count = 0;
        for (int i = 0; i < attempts; ++i) count += limiter.allow(ip(address), clock.now()) ? 1 : 0;
        return count;
    };
    EXPECT_EQ(allowed("192.0.2.1", 100), 5);
    EXPECT_EQ(allowed("192.0.2.2", 100), 5);
    EXPECT_EQ(allowed("2001:db8:0:1::1", 100), 5);
    EXPECT_EQ(allowed("2001:db8:0:1:ffff::2", 100), 0) << "the same /64";
    EXPECT_EQ(allowed("2001:db8:0:2::1", 100), 5);
    int count = 0;
    for (int i = 0; i < 100; ++i) {
        clock.advance(milliseconds(10));
        count += allowed("192.0.2.1", 10);
    }
    EXPECT_EQ(count, 20);
}

TEST(SourceLimiter, TableIsBoundedAndForgetsQuietSources) {
    SourceLimiter limiter;
    ManualClock clock;
    const auto address = [](std::uint32_t number) {
        return IpAddress::from(std::array<std::uint8_t, 4>{10, static_cast<std::uint8_t>(number >> 16),
                                                           static_cast<std::uint8_t>(number >> 8),
                                                           static_cast<std::uint8_t>(number)});
    };
    for (std::uint32_t i = 0; i < kMaxSources; ++i) EXPECT_TRUE(limiter.allow(address(i), clock.now()));
    EXPECT_FALSE(limiter.allow(address(kMaxSources), clock.now()));
    EXPECT_EQ(limiter.size(), kMaxSources);
    EXPECT_TRUE(limiter.allow(address(0), clock.now())) << "who is known goes on";
    clock.advance(milliseconds(1000));
    EXPECT_TRUE(limiter.allow(address(kMaxSources), clock.now()));
    EXPECT_EQ(limiter.size(), 1U);
}

TEST(LoadGauge, BusyForASecondAfterTheQueueWasAnEighthFull) {
    LoadGauge gauge;
    ManualClock clock;
    EXPECT_FALSE(gauge.busy(clock.now()));
    gauge.report(512, 4096, clock.now());
    EXPECT_FALSE(gauge.busy(clock.now()));
    gauge.report(513, 4096, clock.now());
    EXPECT_TRUE(gauge.busy(clock.now()));
    gauge.report(0, 4096, clock.now());
    clock.advance(milliseconds(999));
    EXPECT_TRUE(gauge.busy(clock.now()));
    clock.advance(milliseconds(1));
    EXPECT_FALSE(gauge.busy(clock.now()));
}

}  // namespace
}  // namespace myst::wireguard
