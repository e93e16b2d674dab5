// What a consumer signs at most: the first step, the bill, and the good-bye.
#include <gtest/gtest.h>

#include "myst/pay/payer.hpp"
#include "myst/pay/tariff.hpp"

namespace myst::pay {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr milliseconds kNow{0};

Tariff data_only(std::uint64_t per_gib) {
    return {Amount(per_gib), Amount{}};
}

PayerSession payer(Amount spendable = Amount(1'000'000)) {
    return PayerSession({data_only(1024 * 100), kMiB}, Amount(5000), spendable);  // 100 units per MiB
}

TEST(Tariff, TheReferencePriceIsOfOneGibibyteWithinOneHour) {
    EXPECT_EQ(reference_price({Amount(3), Amount(4)}), Amount(7));
    EXPECT_EQ(reference_price({Amount::max(), Amount{}}), Amount::max());
    EXPECT_FALSE(reference_price({Amount::max(), Amount(1)}));
}

TEST(Payer, ADearOfferDoesNotTakeTheWholeDepositWithItsFirstVoucher) {
    const PayerSession data({Tariff{Amount::max(), Amount{}}, kMiB}, Amount(5000), Amount(1'000'000));
    const PayerSession time({Tariff{Amount{}, Amount::max()}, kMiB}, Amount(5000), Amount(1'000'000));
    for (const auto& session : {data, time}) {
        const auto due = session.due(0, kNow);
        ASSERT_FALSE(due);
        EXPECT_EQ(due.error().code, ErrorCode::insufficient_funds);
    }
    EXPECT_EQ(**payer(Amount(100)).due(0, kNow), Amount(5100)) << "a deposit of exactly the first step is enough";
    EXPECT_FALSE(payer(Amount(99)).due(0, kNow));
}

TEST(Payer, LeavesWithoutPayingAhead) {
    auto session = payer();
    EXPECT_FALSE(session.owed(0, kNow));
    EXPECT_EQ(session.owed(kMiB / 2, kNow), Amount(5050));
    session.issued(Amount(5100));
    EXPECT_FALSE(session.owed(kMiB, kNow));
    EXPECT_EQ(session.owed(2 * kMiB, kNow), Amount(5200));
    EXPECT_EQ(payer(Amount(150)).owed(2 * kMiB, kNow), Amount(5150)) << "the deposit's end";
}

TEST(Payer, BillsTheProvidersCountWithinTheToleranceOnly) {
    PayerTerms terms{data_only(1024 * 100), kMiB};
    terms.in_flight_bytes = 4 * kMiB;
    const PayerSession session(terms, Amount(0), Amount(1'000'000));
    EXPECT_EQ(session.billable(kMiB, 0), kMiB);
    EXPECT_EQ(session.billable(kMiB, kMiB + 1000), kMiB + 1000);
    EXPECT_EQ(session.billable(kMiB, 4 * kMiB), kMiB + kMeterTolerance) << "what is in flight is not billed";
    EXPECT_EQ(session.billable(100 * kMiB, 104 * kMiB), 100 * kMiB + kMiB * 100 / 100 * 2);
    EXPECT_TRUE(session.check_meter(kMiB, 5 * kMiB)) << "but borne";
}

TEST(Payer, AsksForAReservationAsFarAsTheDepositGoes) {
    PayerTerms terms;
    EXPECT_EQ(PayerSession(terms, Amount(5000), Amount(300)).cap_for(Amount(5100)), Amount(5100))
        << "none is asked for";
    terms.reserve_ahead = Amount(150);
    const PayerSession session(terms, Amount(5000), Amount(300));
    EXPECT_EQ(session.cap_for(Amount(5100)), Amount(5250));
    EXPECT_EQ(session.cap_for(Amount(5200)), Amount(5300));
    EXPECT_EQ(session.cap_for(Amount(5300)), Amount(5300));
}

}  // namespace
}  // namespace myst::pay
