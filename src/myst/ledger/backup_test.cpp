// An old copy of either side's ledger is put back, and both sides meet again as they do on the payment stream.
#include <gtest/gtest.h>

#include <iostream>

#include "myst/codec/voucher.hpp"
#include "myst/ledger/paid_lanes_test.hpp"
#include "myst/pay/frame.hpp"
#include "myst/pay/payee.hpp"
#include "myst/pay/payer.hpp"

namespace myst::ledger {
namespace {

using namespace ledger::testing;
using sys::testing::DiskLog;
using sys::testing::Files;
using sys::testing::MemoryDisk;

constexpr std::size_t kAges = 200;
constexpr std::uint64_t kChunk = 1 << 20;
constexpr milliseconds kNow{0};

/// What does not change: the key, the lane, the price.
struct Lane {
    codec::LaneDomain domain{31337, Address{{7}}};
    crypto::PrivateKey key = *crypto::PrivateKey::from(Hash32{{1}}.bytes);
    pay::Tariff tariff{Amount(1024 * 100), Amount{}};  // 100 units per chunk
    Amount deposit{1'000'000'000};
    [[nodiscard]] Address signer() const { return key.address(); }
    [[nodiscard]] codec::SignedVoucher sign(Amount total) const {
        return codec::sign_voucher(domain, {provider(), kEpoch, total, total}, key);
    }
};

template <class Frame>
Frame through_the_stream(const Frame& frame) {
    const auto bytes = pay::encode_frame(frame);
    const auto decoded = pay::decode_frame(BytesView(bytes).subspan(pay::kFrameHeaderSize));
    return std::get<Frame>(*decoded);
}

/// The consumer, begun from its ledger.
class Consumer {
public:
    Consumer(const Lane& lane, const MemoryDisk& disk) : lane_(lane), ledger_(disk) {
        const auto issued = *ledger_.run(ledger_->highest_issued(lane.signer(), provider(), kEpoch));
        payer_.emplace(pay::PayerTerms{lane.tariff, kChunk}, issued ? issued->voucher.voucher.total : Amount{},
                       lane.deposit);
    }
    /// Takes the provider's word only for what its own key has signed.
    void adopt(const pay::ResumeFrame& resume) {
        const auto* held = std::get_if<pay::VoucherFrame>(&resume.held);
        if (!held) return;
        const auto voucher = held->with_provider(provider());
        ASSERT_EQ(codec::recover_signer(lane_.domain, voucher), lane_.signer());
        payer_->adopt(voucher.voucher.total);
    }
    /// Stores the next voucher and gives it away.
    pay::VoucherFrame next(std::uint64_t used) {
        const auto due = payer_->due(used, kNow);
        EXPECT_TRUE(due);
        const auto voucher = lane_.sign(due->value_or(payer_->issued_total()));
        const ports::HeldVoucher issued{lane_.signer(), voucher, {}};
        EXPECT_TRUE(ledger_.run(ledger_->record_issued(issued))) << "lower than before";
        payer_->issued(voucher.voucher.total);
        return pay::VoucherFrame::of(voucher);
    }
    void take(Amount acknowledged) { EXPECT_TRUE(payer_->acknowledged(acknowledged)); }

private:
    const Lane& lane_;
    OpenLedger ledger_;
    std::optional<pay::PayerSession> payer_;
};

/// The provider, begun from its ledger.
class Provider {
public:
    Provider(const Lane& lane, const MemoryDisk& disk) : lane_(lane), ledger_(disk) {
        pay::PayeeTerms terms;
        terms.tariff = lane.tariff;
        terms.risk_limit = Amount::max();
        const auto known = held();
        payee_.emplace(terms, lane.signer(), provider(), kEpoch, known ? known->voucher.voucher.total : Amount{});
    }
    std::optional<ports::HeldVoucher> held() {
        return *ledger_.run(ledger_->highest_voucher(lane_.signer(), provider()));
    }
    pay::ResumeFrame resume() {
        pay::ResumeFrame frame{kEpoch, {}};
        if (const auto known = held()) frame.held = pay::VoucherFrame::of(known->voucher);
        return frame;
    }
    /// Stores a voucher; returns what is acknowledged.
    Amount take(const pay::VoucherFrame& frame) {
        const auto voucher = frame.with_provider(provider());
        const pay::Coverage coverage{Amount{}, lane_.deposit, kEpoch};
        const auto verdict = payee_->examine(voucher, *codec::recover_signer(lane_.domain, voucher), coverage);
        EXPECT_TRUE(verdict);
        if (*verdict == pay::Verdict::store) {
            ports::SessionRecord session;
            session.signer = lane_.signer();
            session.provider = provider();
            const ports::HeldVoucher kept{lane_.signer(), voucher, {}};
            EXPECT_TRUE(ledger_.run(ledger_->keep_voucher(kept, session)));
            payee_->credit(voucher.voucher.total);
        }
        return payee_->total();
    }

private:
    const Lane& lane_;
    OpenLedger ledger_;
    std::optional<pay::PayeeSession> payee_;
};

/// The files of one ledger as copies that get younger have them: what was written by then, and no mark.
class Backups {
public:
    explicit Backups(const MemoryDisk& disk) : log_(disk.log()) {}
    /// What `events` of the disk had led to; not fewer than last time.
    const Files& at(std::size_t events) {
        files_ = sys::testing::after_kill(std::move(files_), DiskLog(log_).subspan(done_, events - done_));
        files_.erase(kPath + "-mark");
        done_ = events;
        return files_;
    }

private:
    std::vector<sys::testing::DiskEvent> log_;
    std::size_t done_ = 0;
    Files files_;
};

/// A lane on which both sides have paid and stored for a while, and how long their disks' logs were at each payment.
struct History {
    Lane lane;
    MemoryDisk consumer;
    MemoryDisk provider;
    std::vector<std::pair<std::size_t, std::size_t>> ages;
    std::map<Amount, codec::SignedVoucher> sent;
    Amount last;

    History() {
        Consumer payer(lane, consumer);
        Provider payee(lane, provider);
        for (std::size_t i = 0; i < kAges; ++i) {
            ages.emplace_back(consumer.log().size(), provider.log().size());
            const auto frame = through_the_stream(payer.next(i * kChunk));
            sent.emplace(frame.total, frame.with_provider(testing::provider()));
            last = frame.total;
            payer.take(payee.take(frame));
        }
    }
};

/// Both sides begin with these files and meet; nobody loses, and nothing is signed that contradicts what was signed.
void meet(const History& history, const Files& consumer_files, const Files& provider_files) {
    const MemoryDisk consumer_disk(consumer_files);
    const MemoryDisk provider_disk(provider_files);
    Consumer consumer(history.lane, consumer_disk);
    Provider provider(history.lane, provider_disk);
    consumer.adopt(through_the_stream(provider.resume()));
    const auto price_of_a_chunk = pay::cost_of(history.lane.tariff, kChunk, kNow);
    for (const std::uint64_t used : {std::uint64_t{0}, kChunk}) {
        const auto frame = through_the_stream(consumer.next(used));
        EXPECT_GE(frame.total, history.last) << "lower than what was signed before";
        const auto before = history.sent.find(frame.total);
        const bool anew = before == history.sent.end();
        EXPECT_TRUE(anew || before->second == frame.with_provider(testing::provider()))
            << "a second voucher of this total";
        const auto acknowledged = provider.take(frame);
        EXPECT_EQ(acknowledged, frame.total);
        consumer.take(acknowledged);
        EXPECT_LE(frame.total.minus_saturating(history.last),
                  price_of_a_chunk.plus_saturating(pay::cost_of(history.lane.tariff, used, kNow)))
            << "paid twice";
    }
    EXPECT_GE(provider.held()->voucher.voucher.total, history.last) << "the provider has lost money";
}

TEST(LedgerBackup, AnOldCopyOnEitherSideLosesNobodyMoney) {
    const History history;
    Backups of_consumer(history.consumer);
    Backups of_provider(history.provider);
    const auto consumer_now = history.consumer.files();
    const auto provider_now = history.provider.files();
    for (std::size_t age = 0; age < history.ages.size() && !::testing::Test::HasFailure(); ++age) {
        SCOPED_TRACE(age);
        const auto [consumer_events, provider_events] = history.ages[age];
        meet(history, of_consumer.at(consumer_events), provider_now);
        meet(history, consumer_now, of_provider.at(provider_events));
    }
    std::cout << history.ages.size() << " ages of a backup on each side\n";
}

}  // namespace
}  // namespace myst::ledger
