#include "myst/pay/ticks.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace myst::pay {
namespace {

const codec::LaneDomain kDomain(31337, Address{{7}});
constexpr std::uint64_t kTotal = 1'000;
constexpr std::uint64_t kValue = 10;

codec::Voucher voucher(std::uint64_t cap = 5'000) {
    return {Address{{2}}, 1, Amount(kTotal), Amount(cap)};
}

TickPayer payer(std::uint16_t ticks = codec::kMaxTicks) {
    return TickPayer::begin(kDomain, voucher(), kValue, ticks, Hash32{{9}}).value();
}

TickPayee payee(const TickPayer& of) {
    return TickPayee::begin(kDomain, of.voucher()).value();
}

TEST(Ticks, EachPaysItsValueAndConvertsToAVoucher) {
    auto from = payer();
    auto to = payee(from);
    EXPECT_EQ(to.owed(), Amount(kTotal));
    for (std::uint64_t k = 1; k <= codec::kMaxTicks; ++k) {
        const auto tick = from.next();
        ASSERT_TRUE(tick);
        EXPECT_EQ(to.take(*tick).value(), Amount(kTotal + k * kValue));
        EXPECT_EQ(from.converted().total, to.owed());
    }
    EXPECT_FALSE(from.next());
    EXPECT_EQ(from.converted().cap, voucher().cap);
}

TEST(Ticks, LossAndRepetitionNeverLoseOrMakeMoney) {
    EXPECT_TRUE(rc::check([](const std::vector<bool>& arrives) {
        auto from = payer();
        auto to = payee(from);
        std::uint64_t newest = 0;
        for (bool arrived : arrives) {
            const auto tick = from.next();
            if (!tick) break;
            if (!arrived) continue;
            newest = tick->index;
            RC_ASSERT(to.take(*tick).value() == Amount(kTotal + newest * kValue));
            RC_ASSERT(to.take(*tick).value() == Amount(kTotal + newest * kValue));
        }
        RC_ASSERT(to.owed() <= from.converted().total);
        RC_ASSERT(to.owed() == Amount(kTotal + newest * kValue));
    }));
}

TEST(Ticks, AChangedTickPaysNothing) {
    EXPECT_TRUE(rc::check([] {
        auto from = payer();
        auto to = payee(from);
        const auto skipped = *rc::gen::inRange(0, 20);
        for (int i = 0; i < skipped; ++i) std::ignore = to.take(*from.next());
        const auto before = to.owed();
        auto tick = *from.next();
        if (*rc::gen::arbitrary<bool>()) {
            tick.word.bytes[*rc::gen::inRange<std::size_t>(0, 32)] ^= 1;
        } else {
            tick.index =
                *rc::gen::suchThat<std::uint16_t>([&tick](std::uint16_t index) { return index != tick.index; });
        }
        RC_ASSERT(!to.take(tick));
        RC_ASSERT(to.owed() == before);
    }));
}

TEST(Ticks, AnEarlierTickIsRefused) {
    auto from = payer();
    auto to = payee(from);
    const auto first = *from.next();
    ASSERT_TRUE(to.take(*from.next()));
    EXPECT_FALSE(to.take(first));
    EXPECT_EQ(to.owed(), Amount(kTotal + 2 * kValue));
}

TEST(Ticks, ATickBeyondTheVouchersNumberIsRefusedThoughItLeadsBack) {
    auto from = payer(6);
    auto shorter = from.voucher();
    shorter.max_ticks = 5;  // the anchor does not say how long the chain behind it is
    auto to = TickPayee::begin(kDomain, shorter).value();
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(to.take(*from.next()));
    EXPECT_FALSE(to.take(*from.next()));
    EXPECT_EQ(to.owed(), Amount(kTotal + 5 * kValue));
}

TEST(Ticks, WordsOfOneChainAreWorthNothingOnAnother) {
    auto from = payer();
    auto other = voucher();
    other.epoch = 2;
    auto elsewhere = from.voucher();
    elsewhere.voucher = other;
    auto to = TickPayee::begin(kDomain, elsewhere).value();
    EXPECT_FALSE(to.take(*from.next()));
}

TEST(Ticks, PayUpToATotalAndNeverBeyondIt) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& steps) {
        auto from = payer();
        auto to = payee(from);
        std::uint64_t total = kTotal;
        for (const auto step : steps) {
            total += step;
            const auto before = to.owed();
            const auto tick = from.pay_up_to(Amount(total));
            if (tick) {
                RC_ASSERT(to.take(*tick).value() > before);
            } else {
                const bool too_little = total - kTotal < (to.newest().index + 1) * kValue;
                const bool beyond_the_end = total - kTotal >= (codec::kMaxTicks + 1) * kValue;
                RC_ASSERT(too_little || beyond_the_end);
            }
            RC_ASSERT(to.owed() <= Amount(total));
            RC_ASSERT(to.owed() == from.converted().total);
            if (total - kTotal < codec::kMaxTicks * kValue) RC_ASSERT(Amount(total - kValue) < to.owed());
        }
    }));
}

TEST(Ticks, MoreThanTheContractWalksOrTheCapAllowsIsRefused) {
    const Hash32 word{{9}};
    EXPECT_FALSE(TickPayer::begin(kDomain, voucher(), kValue, codec::kMaxTicks + 1, word));
    EXPECT_FALSE(TickPayer::begin(kDomain, voucher(), kValue, 0, word));
    EXPECT_FALSE(TickPayer::begin(kDomain, voucher(kTotal + 639), kValue, codec::kMaxTicks, word));
    EXPECT_TRUE(TickPayer::begin(kDomain, voucher(kTotal + 640), kValue, codec::kMaxTicks, word));
    auto too_many = payer().voucher();
    too_many.max_ticks = codec::kMaxTicks + 1;
    EXPECT_FALSE(TickPayee::begin(kDomain, too_many));
}

}  // namespace
}  // namespace myst::pay
