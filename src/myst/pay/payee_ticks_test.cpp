// A provider's session that is paid with ticks.
#include <chrono>
#include <ctime>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/pay/payee.hpp"

namespace myst::pay {
namespace {

const codec::LaneDomain kDomain(31337, Address{{7}});
const Address kSigner{{1}};
const Address kProvider{{2}};
constexpr std::uint32_t kEpoch = 3;
constexpr std::uint64_t kBase = 5'000;
constexpr std::uint64_t kValue = 10;

PayeeSession payee(std::uint64_t risk_limit = 1'000'000) {
    PayeeTerms terms;
    terms.tariff = {Amount(1024 * 100), Amount{}};
    terms.risk_limit = Amount(risk_limit);
    return PayeeSession(terms, kSigner, kProvider, kEpoch, Amount(kBase));
}

Coverage coverage(std::uint64_t free = 1'000'000) {
    return {Amount(kBase), Amount(free), kEpoch};
}

TickPayer chain(std::uint64_t total = kBase + 100) {
    const codec::Voucher voucher{kProvider, kEpoch, Amount(total), Amount(total + codec::kMaxTicks * kValue)};
    return TickPayer::begin(kDomain, voucher, kValue, codec::kMaxTicks, Hash32{{9}}).value();
}

/// The payee holds the tick voucher; its ticks may come.
void begin(PayeeSession& session, const TickPayer& from) {
    const codec::SignedTickVoucher voucher{from.voucher(), {}};
    ASSERT_EQ(session.examine(voucher, kSigner, coverage()), Verdict::store);
    session.credit(voucher.tick_voucher.voucher.total);
    session.begin_ticks(kDomain, voucher);
}

/// Of this program.
std::chrono::microseconds processor_time() {
    constexpr auto kPerMicrosecond = CLOCKS_PER_SEC / 1'000'000;
    return std::chrono::microseconds(std::clock() / kPerMicrosecond);
}

TEST(PayeeTicks, EachIsStoredCreditedAndRepeatedWithoutEffect) {
    auto session = payee();
    auto from = chain();
    begin(session, from);
    EXPECT_EQ(session.paid(), Amount(100));
    for (std::uint64_t k = 1; k <= codec::kMaxTicks; ++k) {
        const auto tick = *from.next();
        ASSERT_EQ(session.examine(tick, coverage()), Verdict::store);
        session.credit(from.converted().total);
        EXPECT_EQ(session.paid(), Amount(100 + k * kValue));
        EXPECT_EQ(session.examine(tick, coverage()), Verdict::repeat);
    }
}

TEST(PayeeTicks, AVoucherTakesTheirPlaceAlsoForTheSameTotal) {
    auto session = payee();
    auto from = chain();
    begin(session, from);
    ASSERT_EQ(session.examine(*from.next(), coverage()), Verdict::store);
    session.credit(from.converted().total);
    auto plain = from.converted();
    const codec::SignedVoucher lower{{kProvider, kEpoch, Amount(kBase + 100), plain.cap}, {}};
    EXPECT_EQ(session.examine(lower, kSigner, coverage()), Verdict::repeat);
    const codec::SignedVoucher same{plain, {}};
    EXPECT_EQ(session.examine(same, kSigner, coverage()), Verdict::store);
    session.end_ticks();
    EXPECT_EQ(session.examine(same, kSigner, coverage()), Verdict::repeat);
    EXPECT_EQ(session.examine(*from.next(), coverage()).error(), RefuseCode::wrong_tick) << "the chain is over";
}

TEST(PayeeTicks, AVoucherWhoseTicksTheContractWouldNotPayIsRefused) {
    auto session = payee();
    auto terms = chain().voucher();
    terms.voucher.cap = Amount(kBase + 100 + codec::kMaxTicks * kValue - 1);
    EXPECT_EQ(session.examine(codec::SignedTickVoucher{terms, {}}, kSigner, coverage()).error(),
              RefuseCode::wrong_terms);
    terms = chain().voucher();
    terms.max_ticks = codec::kMaxTicks + 1;
    EXPECT_EQ(session.examine(codec::SignedTickVoucher{terms, {}}, kSigner, coverage()).error(),
              RefuseCode::wrong_terms);
    terms = chain().voucher();
    EXPECT_EQ(session.examine(codec::SignedTickVoucher{terms, {}}, kProvider, coverage()).error(),
              RefuseCode::wrong_signer);
    terms.voucher.epoch = kEpoch - 1;
    EXPECT_EQ(session.examine(codec::SignedTickVoucher{terms, {}}, kSigner, coverage()).error(),
              RefuseCode::wrong_epoch);
}

TEST(PayeeTicks, EachTickHasToBeCovered) {
    auto session = payee(115);
    auto from = chain();
    begin(session, from);
    EXPECT_EQ(session.examine(*from.next(), coverage(109)).error(), RefuseCode::not_covered);
    EXPECT_EQ(session.examine(*from.next(), coverage()).error(), RefuseCode::risk_limit);
    auto released = coverage();
    released.epoch = kEpoch + 1;
    EXPECT_EQ(session.examine(*from.next(), released).error(), RefuseCode::wrong_epoch);
}

TEST(PayeeTicks, ATickBeforeAnyChainIsRefused) {
    auto session = payee();
    EXPECT_EQ(session.examine(*chain().next(), coverage()).error(), RefuseCode::wrong_tick);
}

TEST(PayeeTicks, AHundredThousandWrongOnesEndTheSessionAndCostLessThanASecond) {
    auto session = payee();
    auto from = chain();
    begin(session, from);
    unsigned refused = 0;
    unsigned until_the_end = 0;
    const auto start = processor_time();
    for (std::uint32_t i = 0; i < 100'000; ++i) {
        Hash32 junk{{static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8)}};
        if (!session.too_many_wrong_ticks()) ++until_the_end;
        if (!session.examine(Tick{codec::kMaxTicks, junk}, coverage())) ++refused;
    }
    const auto cost = processor_time() - start;
    RecordProperty("microseconds", static_cast<int>(cost.count()));
    EXPECT_LT(cost, std::chrono::seconds(1));
    EXPECT_EQ(refused, 100'000U);
    EXPECT_EQ(until_the_end, kMaxWrongTicks);
    EXPECT_EQ(session.examine(*from.next(), coverage()).error(), RefuseCode::wrong_tick) << "nobody listens now";
    EXPECT_EQ(session.paid(), Amount(100));
}

/// A tick beyond the last one is refused before it is hashed.
TEST(PayeeTicks, AJumpBeyondTheChainCostsNoHash) {
    const auto voucher = chain().voucher();
    auto to = TickPayee::begin(kDomain, voucher).value();
    const auto cost_of_refusing = [&to](std::uint16_t index) {
        const auto start = processor_time();
        for (int i = 0; i < 20'000; ++i) EXPECT_FALSE(to.take({index, Hash32{{1}}}));
        return processor_time() - start;
    };
    const auto hashed = cost_of_refusing(codec::kMaxTicks);
    for (const int index : {codec::kMaxTicks + 1, codec::kMaxTicks + 4097, 0xffff}) {
        const auto jumped = cost_of_refusing(static_cast<std::uint16_t>(index));
        ASSERT_LT(jumped * 5, hashed) << jumped.count() << " and " << hashed.count() << " µs";
        EXPECT_LT(jumped / 20'000, milliseconds(1));
    }
}

}  // namespace
}  // namespace myst::pay
