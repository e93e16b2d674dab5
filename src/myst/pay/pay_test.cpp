#include <array>

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/pay/frame.hpp"
#include "myst/pay/payee.hpp"
#include "myst/pay/payer.hpp"
#include "myst/pay/tariff.hpp"

namespace myst::pay {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr milliseconds kNow{0};

Tariff data_only(std::uint64_t per_gib) {
    return {Amount(per_gib), Amount{}};
}

TEST(Tariff, EachPartRoundsUp) {
    EXPECT_EQ(cost_of(data_only(1024), kMiB, kNow), Amount(1));
    EXPECT_EQ(cost_of(data_only(1024), kMiB + 1, kNow), Amount(2));
    EXPECT_EQ(cost_of({Amount{}, Amount(3600)}, 0, milliseconds(1500)), Amount(2));
    EXPECT_EQ(cost_of({Amount::max(), Amount{}}, 3 * kBytesPerGib, kNow), Amount::max());
    EXPECT_EQ(cost_of(data_only(5), 0, kNow), Amount(0));
}

TEST(Tariff, BytesCoveredInvertsCost) {
    EXPECT_TRUE(rc::check([](std::uint32_t price, std::uint64_t money, std::uint32_t time, std::uint32_t hourly) {
        const Tariff tariff{Amount(price + 1ULL), Amount(hourly)};
        const milliseconds connected(time);
        const auto bytes = bytes_covered(tariff, Amount(money), connected);
        if (bytes == kUnlimitedBytes) return;
        if (Amount(money) < cost_of(tariff, 0, connected)) {
            RC_ASSERT(bytes == 0U);
            return;
        }
        RC_ASSERT(cost_of(tariff, bytes, connected) <= Amount(money));
        if (bytes < kUnlimitedBytes - 1) RC_ASSERT(cost_of(tariff, bytes + 1, connected) > Amount(money));
    }));
}

TEST(Tariff, FreeDataIsUnlimitedWhileTimeIsPaid) {
    const Tariff hourly{Amount{}, Amount(3600)};
    EXPECT_EQ(bytes_covered(hourly, Amount(10), milliseconds(10'000)), kUnlimitedBytes);
    EXPECT_EQ(bytes_covered(hourly, Amount(10), milliseconds(10'001)), 0U);
}

PayerSession payer(Amount spendable = Amount(1'000'000)) {
    return PayerSession({data_only(1024 * 100), kMiB}, Amount(5000), spendable);  // 100 units per MiB
}

TEST(Payer, StaysBetweenAnEighthAndOneChunkAhead) {
    auto session = payer();
    EXPECT_EQ(**session.due(0, kNow), Amount(5100));
    session.issued(Amount(5100));
    EXPECT_FALSE(*session.due(kMiB / 8 * 7 - 20'000, kNow));
    EXPECT_EQ(**session.due(kMiB / 8 * 7, kNow), Amount(5188));
    EXPECT_EQ(**session.due(7 * kMiB, kNow), Amount(5800));
}

TEST(Payer, PaysTimeAheadToo) {
    const PayerSession session({{Amount{}, Amount(3600)}, kMiB, milliseconds(8000)}, Amount(0), Amount(1000));
    EXPECT_EQ(**session.due(0, milliseconds(0)), Amount(8));
}

TEST(Payer, PaysWhatIsLeftThenSaysTheDepositIsUsedUp) {
    auto session = payer(Amount(150));
    session.issued(Amount(5100));
    EXPECT_EQ(**session.due(kMiB, kNow), Amount(5150));
    session.issued(Amount(5150));
    EXPECT_FALSE(*session.due(kMiB + kMiB / 4, kNow));
    const auto due = session.due(2 * kMiB, kNow);
    ASSERT_FALSE(due);
    EXPECT_EQ(due.error().code, ErrorCode::insufficient_funds);
}

TEST(Payer, NothingIsDueForAFreeService) {
    const PayerSession session({Tariff{}, kMiB}, Amount(0), Amount(0));
    EXPECT_FALSE(*session.due(100 * kMiB, milliseconds(1000)));
}

TEST(Payer, AdoptsItsOwnHigherVoucherWithoutPayingAgain) {
    auto session = payer();
    session.adopt(Amount(7000));
    EXPECT_EQ(session.paid(), Amount(0));
    EXPECT_EQ(session.left(), Amount(998'000));
    EXPECT_EQ(**session.due(0, kNow), Amount(7100));
}

TEST(Payer, RefusesAnAcknowledgementOfMoreThanItSigned) {
    auto session = payer();
    EXPECT_FALSE(session.acknowledged(Amount(5001)));
    session.issued(Amount(5100));
    EXPECT_TRUE(session.acknowledged(Amount(5100)));
    EXPECT_EQ(session.paid_and_acknowledged(), Amount(100));
}

TEST(Payer, LeavesWhenTheProviderInflatesItsMeter) {
    const auto session = payer();
    EXPECT_TRUE(session.check_meter(100 * kMiB, 102 * kMiB));
    EXPECT_FALSE(session.check_meter(100 * kMiB, 103 * kMiB));
    EXPECT_TRUE(session.check_meter(0, kMeterTolerance));
    EXPECT_FALSE(session.check_meter(0, kMeterTolerance + 1));
    EXPECT_TRUE(session.check_meter(100 * kMiB, 0));
}

const Address kSigner{{1}};
const Address kProvider{{2}};
constexpr std::uint32_t kEpoch = 3;

codec::SignedVoucher voucher(std::uint64_t total) {
    return {codec::Voucher{kProvider, kEpoch, Amount(total), Amount(total)}, {}};
}

PayeeSession payee(Amount debt = Amount{}) {
    PayeeTerms terms;
    terms.tariff = data_only(1024 * 100);
    terms.credit_bytes = kMiB;
    terms.debt = debt;
    terms.risk_limit = Amount(1000);
    terms.settle_trigger = Amount(500);
    return PayeeSession(terms, kSigner, kProvider, kEpoch, Amount(5000));
}

const Coverage kCoverage{Amount(5000), Amount(10'000), kEpoch};

TEST(Payee, AcceptsOnlyTheOneVoucherThatFits) {
    const auto session = payee();
    EXPECT_EQ(session.examine(voucher(5100), kSigner, kCoverage), Verdict::store);
    EXPECT_EQ(session.examine(voucher(5000), kSigner, kCoverage), Verdict::repeat);
    EXPECT_EQ(session.examine(voucher(4000), kSigner, kCoverage), Verdict::repeat);
    EXPECT_EQ(session.examine(voucher(5100), kProvider, kCoverage).error(), RefuseCode::wrong_signer);
    auto other = voucher(5100);
    other.voucher.provider = kSigner;
    EXPECT_EQ(session.examine(other, kSigner, kCoverage).error(), RefuseCode::wrong_terms);
    other = voucher(5100);
    other.voucher.cap = Amount(5099);
    EXPECT_EQ(session.examine(other, kSigner, kCoverage).error(), RefuseCode::wrong_terms);
    other = voucher(5100);
    other.voucher.epoch = kEpoch - 1;
    EXPECT_EQ(session.examine(other, kSigner, kCoverage).error(), RefuseCode::wrong_epoch);
    EXPECT_EQ(session.examine(voucher(15'001), kSigner, kCoverage).error(), RefuseCode::not_covered);
    EXPECT_EQ(session.examine(voucher(6001), kSigner, kCoverage).error(), RefuseCode::risk_limit);
}

TEST(Payee, AllowanceIsPaidPlusCredit) {
    auto session = payee();
    EXPECT_EQ(session.allowance(kNow), kMiB);
    session.credit(Amount(5300));
    EXPECT_EQ(session.paid(), Amount(300));
    EXPECT_EQ(session.allowance(kNow), 4 * kMiB);
}

TEST(Payee, DebtEatsUpTheCredit) {
    EXPECT_EQ(payee(Amount(50)).allowance(kNow), kMiB / 2);
    EXPECT_EQ(payee(Amount(100)).allowance(kNow), 0U);
    EXPECT_EQ(payee(Amount(1'000'000)).allowance(kNow), 0U);
}

TEST(Payee, UnpaidTimeClosesTheGate) {
    PayeeTerms terms;
    terms.tariff = {Amount{}, Amount(3600)};
    PayeeSession session(terms, kSigner, kProvider, kEpoch, Amount(0));
    EXPECT_EQ(session.allowance(milliseconds(29'000)), kUnlimitedBytes);
    EXPECT_EQ(session.allowance(milliseconds(30'000)), 0U);
    session.credit(Amount(10));
    EXPECT_EQ(session.allowance(milliseconds(39'000)), kUnlimitedBytes);
    EXPECT_EQ(session.allowance(milliseconds(40'000)), 0U);
}

TEST(Payee, DebtEatsUpTheTimeCreditToo) {
    PayeeTerms terms;
    terms.tariff = {Amount{}, Amount(3600)};
    terms.debt = Amount(20);
    EXPECT_EQ(PayeeSession(terms, kSigner, kProvider, kEpoch, Amount(0)).allowance(milliseconds(9'000)),
              kUnlimitedBytes);
    EXPECT_EQ(PayeeSession(terms, kSigner, kProvider, kEpoch, Amount(0)).allowance(milliseconds(10'000)), 0U);
    terms.debt = Amount(30);
    EXPECT_EQ(PayeeSession(terms, kSigner, kProvider, kEpoch, Amount(0)).allowance(milliseconds(0)), 0U);
}

TEST(Payee, AVoucherOfAReleasedLaneIsRefused) {
    auto released = kCoverage;
    released.epoch = kEpoch + 1;
    EXPECT_EQ(payee().examine(voucher(5100), kSigner, released).error(), RefuseCode::wrong_epoch);
}

/// However a payer cuts its use into sessions, whatever the tariff and whenever it stops paying: it takes no more than
/// it has paid and one credit.
TEST(Payee, AllSessionsTogetherGetTheCreditOnce) {
    EXPECT_TRUE(rc::check(
        [](const std::vector<std::array<std::uint16_t, 3>>& steps, std::uint16_t per_gib, std::uint16_t per_hour) {
            PayeeTerms terms;
            terms.tariff = {Amount(per_gib * std::uint64_t{1000}), Amount(per_hour * std::uint64_t{1000})};
            const auto credit = cost_of(terms.tariff, terms.credit_bytes, terms.time_credit);
            Amount cost;   // of the sessions that are over, as their meters say
            Amount taken;  // of it, while the gate was open
            Amount paid;
            for (std::size_t begin = 0; begin < steps.size(); begin += 4) {  // four steps a session
                terms.debt = cost.minus_saturating(paid);
                PayeeSession session(terms, kSigner, kProvider, kEpoch, Amount(0));
                std::uint64_t used = 0;
                milliseconds connected{0};
                Amount session_taken;
                for (auto i = begin; i < std::min(begin + 4, steps.size()); ++i) {
                    const auto [money, wait, mebibytes] = steps[i];
                    session.credit(session.total().plus_saturating(Amount(money)));
                    connected += milliseconds(wait);
                    const auto limit = session.allowance(connected);
                    if (limit <= used) continue;
                    used = std::min(limit, used + mebibytes * kMiB);
                    session_taken = cost_of(terms.tariff, used, connected);
                    RC_ASSERT(taken.plus_saturating(session_taken) <=
                              paid.plus_saturating(session.paid()).plus_saturating(credit));
                }
                taken = taken.plus_saturating(session_taken);
                cost = cost.plus_saturating(cost_of(terms.tariff, used, connected));
                paid = paid.plus_saturating(session.paid());
            }
        }));
}

TEST(Payee, AsksForSettlementAboveTheTrigger) {
    auto session = payee();
    session.credit(Amount(5500));
    EXPECT_FALSE(session.should_settle(kCoverage));
    session.credit(Amount(5501));
    EXPECT_TRUE(session.should_settle(kCoverage));
}

/// Whatever is lost or repeated on the way and whoever forgets what was not on disk: the provider never forwards more
/// than credit beyond what it holds, the consumer is never ahead by more than a chunk, and nothing is credited that
/// was not signed.
TEST(PayerAndPayee, ExposureIsBoundedUnderLossRepetitionAndRestart) {
    EXPECT_TRUE(rc::check([](const std::vector<std::uint8_t>& steps) {
        const PayerTerms terms{data_only(1024 * 100), kMiB};
        PayeeTerms payee_terms;
        payee_terms.tariff = terms.tariff;
        payee_terms.risk_limit = Amount::max();
        const Coverage coverage{Amount(0), Amount(1'000'000'000), kEpoch};
        PayerSession consumer(terms, Amount(0), coverage.free);
        PayeeSession provider(payee_terms, kSigner, kProvider, kEpoch, Amount(0));
        Amount on_consumer_disk;
        Amount on_provider_disk;
        std::uint64_t used = 0;
        for (const auto step : steps) {
            const auto limit = provider.allowance(kNow);
            used = std::min(limit, used + step * std::uint64_t{8192});
            RC_ASSERT(used <= bytes_covered(terms.tariff, provider.paid(), kNow) + payee_terms.credit_bytes);
            const auto due = consumer.due(used, kNow);
            RC_ASSERT(due.has_value());
            if (*due) {
                on_consumer_disk = **due;
                consumer.issued(on_consumer_disk);
            }
            RC_ASSERT(consumer.paid() <= cost_of(terms.tariff, used + terms.chunk_bytes, kNow));
            const bool lost = step % 3 == 0;
            if (lost) continue;
            const auto sent = voucher(static_cast<std::uint64_t>(consumer.issued_total().units()));
            const auto verdict = provider.examine(sent, kSigner, coverage);
            RC_ASSERT(verdict.has_value());
            if (*verdict == Verdict::store) {
                on_provider_disk = sent.voucher.total;
                provider.credit(on_provider_disk);
            }
            const bool ack_lost = step % 5 == 0;
            if (!ack_lost) RC_ASSERT(consumer.acknowledged(provider.total()).has_value());
            RC_ASSERT(consumer.acknowledged_total() <= on_provider_disk);
            RC_ASSERT(on_provider_disk <= on_consumer_disk);
        }
    }));
}

Frame roundtrip(const Frame& frame) {
    const auto bytes = encode_frame(frame);
    EXPECT_EQ(bytes.size(), kFrameHeaderSize + (static_cast<std::size_t>(bytes[0]) << 8) + bytes[1]);
    auto decoded = decode_frame(BytesView(bytes).subspan(kFrameHeaderSize));
    EXPECT_TRUE(decoded);
    return decoded ? *decoded : Frame(ByeFrame{});
}

TEST(Frame, EveryTypeRoundTrips) {
    VoucherFrame paid{kEpoch, Amount::max(), Amount::max(), {}};
    paid.signature.r.bytes.fill(0xaa);
    paid.signature.vs.bytes.fill(0xbb);
    TickVoucherFrame ticks{paid, Hash32{}, ~std::uint64_t{0}, 64};
    ticks.anchor.bytes.fill(0xcc);
    const TickFrame tick{{63, ticks.anchor}};
    const std::vector<Frame> frames{HelloFrame{SessionId{{1, 2, 3}}},
                                    ResumeFrame{kEpoch, std::monostate{}},
                                    ResumeFrame{kEpoch, paid},
                                    ResumeFrame{kEpoch, HeldTicks{ticks, tick.tick}},
                                    paid,
                                    ticks,
                                    tick,
                                    AckFrame{Amount(7), 1, 2, kUnlimitedBytes},
                                    RefuseFrame{RefuseCode::storage, "disk is full"},
                                    ByeFrame{}};
    for (const auto& frame : frames) EXPECT_EQ(roundtrip(frame), frame);
    EXPECT_EQ(encode_frame(paid).size(), 2U + 1U + 91U);
    EXPECT_EQ(encode_frame(ticks).size(), 2U + 1U + 133U);
    EXPECT_EQ(encode_frame(tick).size(), 2U + 1U + 34U);
    EXPECT_LE(encode_frame(ResumeFrame{kEpoch, HeldTicks{ticks, tick.tick}}).size(), kMaxFrameLength);
}

TEST(Frame, WrongSizesTypesAndVersionsAreRefused) {
    for (const auto& frame :
         std::vector<Frame>{HelloFrame{}, AckFrame{}, VoucherFrame{}, ByeFrame{}, TickVoucherFrame{}, TickFrame{},
                            ResumeFrame{0, VoucherFrame{}}, ResumeFrame{0, HeldTicks{}}}) {
        auto bytes = encode_frame(frame);
        bytes.erase(bytes.begin(), bytes.begin() + kFrameHeaderSize);
        auto longer = bytes;
        longer.push_back(0);
        EXPECT_FALSE(decode_frame(longer));
        bytes.pop_back();
        EXPECT_FALSE(decode_frame(bytes));
    }
    EXPECT_FALSE(decode_frame(Bytes{9}));
    EXPECT_FALSE(decode_frame(Bytes(kMaxFrameLength + 1, 5)));
    Bytes hello(18, 0);
    hello[0] = 1;
    hello[1] = 2;  // version
    EXPECT_FALSE(decode_frame(hello));
    EXPECT_FALSE(decode_frame(Bytes{5, 0}));
    EXPECT_FALSE(decode_frame(Bytes{2, 0, 0, 0, 2}));
    EXPECT_FALSE(decode_frame(Bytes{2, 0, 0, 0, 3}));
    EXPECT_FALSE(decode_frame(Bytes{5, 11}));
}

TEST(Frame, ArbitraryBytesNeverDecodeToSomethingElse) {
    EXPECT_TRUE(rc::check([](const Bytes& bytes) {
        const auto frame = decode_frame(bytes);
        if (!frame || std::holds_alternative<RefuseFrame>(*frame)) return;
        const auto again = encode_frame(*frame);
        RC_ASSERT(Bytes(again.begin() + kFrameHeaderSize, again.end()) == bytes);
    }));
}

TEST(Frame, RefuseTextCannotCarryControlCharacters) {
    const auto frame = decode_frame(Bytes{5, 1, 'a', '\n', 0x1b, 'b'});
    ASSERT_TRUE(frame);
    EXPECT_EQ(std::get<RefuseFrame>(*frame).text, "a??b");
}

}  // namespace
}  // namespace myst::pay
