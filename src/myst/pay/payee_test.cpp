// The provider stops serving when what was paid is not covered any more.
#include "myst/pay/payee.hpp"

#include <gtest/gtest.h>

namespace myst::pay {
namespace {

constexpr Address kSigner{{1}};
constexpr Address kProvider{{2}};
constexpr std::uint32_t kEpoch = 3;

PayeeSession session_of(std::uint64_t total) {
    PayeeTerms terms;
    terms.risk_limit = Amount(1'000'000);
    return PayeeSession(terms, kSigner, kProvider, kEpoch, Amount(total));
}

TEST(PayeeCoverage, WhatWasCreditedHasToStayCovered) {
    const auto session = session_of(100);
    EXPECT_TRUE(session.is_covered({Amount(40), Amount(60), kEpoch}));
    EXPECT_TRUE(session.is_covered({Amount(100), Amount(0), kEpoch}));
    EXPECT_FALSE(session.is_covered({Amount(40), Amount(59), kEpoch})) << "withdrawn, spent elsewhere, or undone";
    EXPECT_FALSE(session.is_covered({Amount(100), Amount(60), kEpoch + 1}));
    EXPECT_TRUE(session.is_covered({Amount(100), Amount(60), kEpoch, true})) << "an exit of what is not needed";
    EXPECT_FALSE(session.is_covered({Amount(100), Amount(60), kEpoch, true, true}));
}

TEST(PayeeCoverage, AnOldVoucherDoesNotKeepTheServiceWithoutADeposit) {
    const auto session = session_of(100);
    const codec::SignedVoucher old{codec::Voucher{kProvider, kEpoch, Amount(100), Amount(100)}, {}};
    EXPECT_EQ(session.examine(old, kSigner, {Amount(0), Amount(100), kEpoch}), Verdict::repeat);
    EXPECT_EQ(session.examine(old, kSigner, {Amount(0), Amount(99), kEpoch}).error(), RefuseCode::not_covered);
}

TEST(PayeeCoverage, AReservationAheadOfTheTotalIsWelcome) {
    const auto session = session_of(100);
    const codec::SignedVoucher ahead{codec::Voucher{kProvider, kEpoch, Amount(120), Amount(5000)}, {}};
    EXPECT_EQ(session.examine(ahead, kSigner, {Amount(0), Amount(1000), kEpoch}), Verdict::store);
}

}  // namespace
}  // namespace myst::pay
