// How a consumer pays with ticks: what it stores, what it sends, and when it goes back to vouchers.
#include "myst/node/payment_signer.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/node/test_support/fake_world.hpp"

namespace myst::node::test {
namespace {

const codec::LaneDomain kDomain(31337, Address{{7}});
const Address kPayee{{2}};
constexpr std::uint32_t kEpoch = 1;
constexpr std::uint64_t kBase = 1'000;
const Amount kStep(20);
const Amount kLimit(1'000'000);

struct Signing {
    CountingRng rng;
    ManualClock clock;
    crypto::PrivateKey key = crypto::PrivateKey::generate(rng);
    PaymentSigner signer{{key, kDomain, kPayee, kEpoch, SessionId{{5}}}, clock, rng};
};

bool is_tick(const Payment& payment) {
    return std::holds_alternative<pay::TickFrame>(payment.frame);
}
bool begins_chain(const Payment& payment) {
    return std::holds_alternative<pay::TickVoucherFrame>(payment.frame);
}
bool is_plain(const Payment& payment) {
    return std::holds_alternative<pay::VoucherFrame>(payment.frame);
}

/// What is stored proves by itself what is owed: signature and chain.
bool proves_itself(const ports::HeldVoucher& proof) {
    const auto voucher = proof.tick_voucher();
    if (!voucher) return codec::recover_signer(kDomain, proof.voucher) == proof.signer;
    auto payee = pay::TickPayee::begin(kDomain, voucher->tick_voucher);
    return payee && codec::recover_signer(kDomain, *voucher) == proof.signer &&
           payee->take(proof.ticks->newest) == proof.total();
}

TEST(PaymentSigner, AChainFollowsAVoucherAndEndsInOne) {
    Signing s;
    EXPECT_TRUE(is_plain(s.signer.by_voucher(Amount(kBase), Amount(kBase))));
    EXPECT_TRUE(begins_chain(s.signer.by_tick(Amount(kBase + 10), kStep, kLimit)));
    for (std::uint64_t k = 1; k <= codec::kMaxTicks; ++k) {
        const auto payment = s.signer.by_tick(Amount(kBase + 10 + 10 * k), kStep, kLimit);
        ASSERT_TRUE(is_tick(payment)) << k;
        EXPECT_EQ(payment.proof.total(), Amount(kBase + 10 + 10 * k));
    }
    EXPECT_TRUE(s.signer.has_chain());
    const auto end = s.signer.by_tick(Amount(kBase + 660), kStep, kLimit);
    EXPECT_TRUE(is_plain(end));
    EXPECT_EQ(end.proof.total(), Amount(kBase + 660));
    EXPECT_FALSE(s.signer.has_chain());
    EXPECT_TRUE(begins_chain(s.signer.by_tick(Amount(kBase + 670), kStep, kLimit)));
}

TEST(PaymentSigner, AMinuteOldChainIsConverted) {
    Signing s;
    std::ignore = s.signer.by_tick(Amount(kBase), kStep, kLimit);
    s.clock.advance(milliseconds(59'999));
    EXPECT_FALSE(s.signer.must_convert());
    EXPECT_TRUE(is_tick(s.signer.by_tick(Amount(kBase + 10), kStep, kLimit)));
    s.clock.advance(milliseconds(1));
    EXPECT_TRUE(s.signer.must_convert());
    EXPECT_TRUE(is_plain(s.signer.by_tick(Amount(kBase + 20), kStep, kLimit)));
    EXPECT_FALSE(s.signer.must_convert());
}

TEST(PaymentSigner, TicksNeverPassTheDeposit) {
    Signing s;
    const Amount limit(kBase + 35);
    const auto begun = s.signer.by_tick(Amount(kBase), kStep, limit);
    ASSERT_TRUE(begins_chain(begun));
    EXPECT_EQ(begun.proof.ticks->max_ticks, 3);
    EXPECT_EQ(begun.proof.voucher.voucher.cap, Amount(kBase + 30));
    EXPECT_EQ(s.signer.by_tick(limit, kStep, limit).proof.total(), Amount(kBase + 30));
    EXPECT_TRUE(is_plain(s.signer.by_tick(limit, kStep, limit))) << "less than a tick is left";
    EXPECT_TRUE(is_plain(s.signer.by_tick(limit, kStep, limit))) << "nothing is left";
}

TEST(PaymentSigner, CapsDoNotFallSinceOlderVouchersCanStillBeSettled) {
    Signing s;
    EXPECT_EQ(s.signer.by_voucher(Amount(kBase), Amount(kBase + 50)).proof.voucher.voucher.cap, Amount(kBase + 50));
    EXPECT_EQ(s.signer.by_voucher(Amount(kBase + 1), Amount(kBase + 1)).proof.voucher.voucher.cap, Amount(kBase + 50));
    const auto chain = s.signer.by_tick(Amount(kBase + 2), kStep, kLimit).proof.voucher.voucher.cap;
    EXPECT_GT(chain, Amount(kBase + 50));
    EXPECT_EQ(s.signer.by_voucher(Amount(kBase + 9), Amount(kBase + 9)).proof.voucher.voucher.cap, chain);
    s.signer.remember_cap(chain.plus_saturating(Amount(1)));
    EXPECT_EQ(s.signer.cap(), chain.plus_saturating(Amount(1)));
}

TEST(PaymentSigner, ADearStepIsPaidByVoucher) {
    Signing s;
    EXPECT_TRUE(is_plain(s.signer.by_tick(Amount(kBase), Amount::max(), Amount::max())));
}

TEST(PaymentSigner, NoTwoChainsHaveTheSameWords) {
    Signing s;
    const auto first = s.signer.by_tick(Amount(kBase), kStep, kLimit);
    std::ignore = s.signer.by_voucher(Amount(kBase), Amount(kBase));
    const auto second = s.signer.by_tick(Amount(kBase), kStep, kLimit);
    EXPECT_NE(first.proof.ticks->anchor, second.proof.ticks->anchor);
}

/// Whatever is due and whenever: a payment never passes the total it is for, totals never fall, and what is stored
/// proves itself.
TEST(PaymentSigner, PaysNoMoreThanAskedAndProvesIt) {
    EXPECT_TRUE(rc::check([](const std::vector<std::tuple<std::uint8_t, std::uint8_t, std::uint16_t>>& steps) {
        Signing s;
        Amount paid(kBase);
        for (const auto& [more, step, wait] : steps) {
            s.clock.advance(milliseconds(wait));
            const auto total = paid.plus_saturating(Amount(more));
            const auto payment =
                step % 4 == 0 ? s.signer.by_voucher(total, total) : s.signer.by_tick(total, Amount(step), kLimit);
            RC_ASSERT(payment.proof.total() <= total);
            RC_ASSERT(payment.proof.total() >= paid);
            if (!is_tick(payment)) RC_ASSERT(payment.proof.total() == total);
            RC_ASSERT(proves_itself(payment.proof));
            paid = payment.proof.total();
        }
    }));
}

}  // namespace
}  // namespace myst::node::test
