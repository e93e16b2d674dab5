// What a provider makes of single payments.
#include "myst/node/exit_payment.hpp"

#include <gtest/gtest.h>

#include "myst/node/payment_signer.hpp"
#include "myst/node/test_support/fake_world.hpp"

namespace myst::node::test {
namespace {

class ExitPaymentTest : public testing::Test {
protected:
    static pay::PayeeTerms terms() {
        pay::PayeeTerms terms;
        terms.tariff = {Amount(1024 * 100), Amount{}};
        terms.risk_limit = Amount(5'000);
        return terms;
    }
    static pay::Coverage coverage() {
        pay::Coverage coverage;
        coverage.free = Amount(10'000);
        return coverage;
    }
    auto judged(const pay::Frame& frame) { return judge(session_, frame, domain_, payee_); }
    /// Why it is refused; none if it counts.
    std::optional<pay::RefuseCode> refused(const pay::Frame& frame) {
        const auto proof = judged(frame);
        if (proof) return std::nullopt;
        return proof.error();
    }
    /// Judged, and credited if it proves something new.
    bool take(const pay::Frame& frame) {
        const auto proof = judged(frame);
        if (!proof || !*proof) return false;
        credit(session_, **proof, domain_);
        return true;
    }
    pay::Frame voucher(std::uint64_t total) { return signer_.by_voucher(Amount(total), Amount(total)).frame; }

    CountingRng rng_;
    ManualClock clock_;
    codec::LaneDomain domain_{31337, Address{{7}}};
    Address payee_{{2}};
    crypto::PrivateKey payer_ = crypto::PrivateKey::generate(rng_);
    PaymentSigner signer_{{payer_, domain_, payee_, 0, SessionId{{1}}}, clock_, rng_};
    ExitSession session_{SessionId{{1}}, NodeKey{},
                         "127.0.0.2",    pay::PayeeSession(terms(), payer_.address(), payee_, 0, Amount(50)),
                         coverage(),     TokenBucket(1, 1, clock_.now())};
};

TEST_F(ExitPaymentTest, AVoucherProvesWhatItsPayerOwesAndCountsOnceItIsCredited) {
    const auto proof = judged(voucher(150));
    ASSERT_TRUE(proof && *proof);
    EXPECT_EQ((*proof)->signer, payer_.address());
    EXPECT_EQ((*proof)->total(), Amount(150));
    EXPECT_EQ((*proof)->voucher.voucher.provider, payee_);
    EXPECT_EQ((*proof)->session, session_.id);
    EXPECT_EQ(session_.payee.paid(), Amount(0)) << "it is not on disk yet";
    credit(session_, **proof, domain_);
    EXPECT_EQ(session_.payee.paid(), Amount(100));
    EXPECT_EQ(session_.vouchers, 1U);
}

TEST_F(ExitPaymentTest, ARepeatedOrLowerVoucherProvesNothingNew) {
    const auto lower = voucher(100);
    const auto higher = voucher(150);
    ASSERT_TRUE(take(higher));
    for (const auto& frame : {higher, lower}) {
        const auto proof = judged(frame);
        ASSERT_TRUE(proof);
        EXPECT_FALSE(*proof);
    }
}

TEST_F(ExitPaymentTest, WhatIsStoredLaterThanAHigherOneChangesNothing) {
    const auto lower = judged(voucher(100));
    const auto higher = judged(voucher(150));
    ASSERT_TRUE(lower && *lower && higher && *higher);
    credit(session_, **higher, domain_);
    credit(session_, **lower, domain_);
    EXPECT_EQ(session_.payee.total(), Amount(150));
    EXPECT_EQ(session_.vouchers, 1U);
}

TEST_F(ExitPaymentTest, OnlyThePayersOwnSignatureCounts) {
    const auto stranger = crypto::PrivateKey::generate(rng_);
    PaymentSigner other({stranger, domain_, payee_, 0, SessionId{{1}}}, clock_, rng_);
    EXPECT_EQ(refused(other.by_voucher(Amount(150), Amount(150)).frame), pay::RefuseCode::wrong_signer);
    EXPECT_EQ(refused(pay::VoucherFrame{0, Amount(150), Amount(150), {}}), pay::RefuseCode::wrong_signer);
    EXPECT_EQ(refused(pay::HelloFrame{}), pay::RefuseCode::wrong_signer) << "no payment at all";
}

TEST_F(ExitPaymentTest, ARepeatedSignatureIsNotRecoveredAgain) {
    const auto frame = voucher(150);
    ASSERT_TRUE(take(frame));
    EXPECT_EQ(session_.verified, frame);
    EXPECT_EQ(refused(pay::VoucherFrame{0, Amount(150), Amount(150), {}}), pay::RefuseCode::wrong_signer);
    EXPECT_EQ(session_.verified, frame) << "what was refused is remembered as good";
    session_.verified = pay::VoucherFrame{0, Amount(150), Amount(150), {}};
    EXPECT_FALSE(refused(*session_.verified)) << "recovering this signature fails";
    session_.coverage.free = Amount(100);
    EXPECT_EQ(refused(*session_.verified), pay::RefuseCode::not_covered) << "everything else is looked at";
}

TEST_F(ExitPaymentTest, APaymentOfHalfTheLeastChunkIsNoBurden) {
    EXPECT_FALSE(is_worth_a_frame(session_, Amount(0)));
    EXPECT_FALSE(is_worth_a_frame(session_, Amount(3)));
    EXPECT_TRUE(is_worth_a_frame(session_, Amount(4))) << "100 units a MiB, rounded up";
}

TEST_F(ExitPaymentTest, NothingCountsThatTheDepositOrTheRiskLimitDoesNotCover) {
    EXPECT_EQ(refused(voucher(10'001)), pay::RefuseCode::not_covered);
    EXPECT_EQ(refused(voucher(5'001)), pay::RefuseCode::risk_limit);
    session_.coverage.epoch = 1;
    EXPECT_EQ(refused(voucher(150)), pay::RefuseCode::wrong_epoch);
}

TEST_F(ExitPaymentTest, TicksGoOnFromTheirVoucherAndEndWithAPlainOne) {
    ASSERT_TRUE(take(voucher(100)));
    const auto begun = signer_.by_tick(Amount(110), Amount(20), Amount(1'000)).frame;
    ASSERT_TRUE(std::holds_alternative<pay::TickVoucherFrame>(begun));
    ASSERT_TRUE(take(begun));
    ASSERT_TRUE(session_.payee.tick_voucher());
    const auto tick = signer_.by_tick(Amount(140), Amount(20), Amount(1'000)).frame;
    ASSERT_TRUE(std::holds_alternative<pay::TickFrame>(tick));
    ASSERT_TRUE(take(tick));
    EXPECT_EQ(session_.payee.total(), Amount(140));
    EXPECT_FALSE(take(tick)) << "the newest again";
    EXPECT_EQ(refused(pay::TickFrame{{codec::kMaxTicks, Hash32{{1}}}}), pay::RefuseCode::wrong_tick);
    ASSERT_TRUE(take(voucher(140))) << "it takes the place of the ticks";
    EXPECT_FALSE(session_.payee.tick_voucher());
    EXPECT_EQ(refused(tick), pay::RefuseCode::wrong_tick);
}

}  // namespace
}  // namespace myst::node::test
