#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "myst/ledger/sqlite_ledger.hpp"
#include "myst/runtime/group_commit.hpp"
#include "myst/runtime/run_task.hpp"
#include "myst/runtime/task_group.hpp"
#include "myst/sys/task_test.hpp"
#include "myst/sys/test_support/full_disk.hpp"

namespace myst::ledger {
namespace {

/// A folder of its own that goes away with the test.
class LedgerTest : public testing::Test {
protected:
    void SetUp() override {
        const auto name = std::string("myst_ledger_") + testing::UnitTest::GetInstance()->current_test_info()->name();
        folder_ = std::filesystem::temp_directory_path() / (name + "_" + std::to_string(getpid()));
        std::filesystem::create_directories(folder_);
        ledger_ = reopen();
    }
    void TearDown() override {
        ledger_.reset();
        std::filesystem::remove_all(folder_);
    }
    std::string path() const { return (folder_ / "ledger.db").string(); }
    std::unique_ptr<SqliteLedger> reopen() {
        ledger_.reset();
        auto ledger = SqliteLedger::open(path());
        EXPECT_TRUE(ledger) << (ledger ? "" : ledger.error().describe());
        return ledger ? std::move(*ledger) : nullptr;
    }
    template <class T>
    T run(Task<T> task) {
        return sys::testing::run_value(context_, std::move(task));
    }

    std::filesystem::path folder_;
    asio::io_context context_;
    std::unique_ptr<SqliteLedger> ledger_;
};

const Address kSigner{{1}};
const Address kProvider{{2}};

ports::HeldVoucher voucher(std::uint64_t total, std::uint32_t epoch = 0) {
    ports::HeldVoucher held;
    held.signer = kSigner;
    held.voucher.voucher = {kProvider, epoch, Amount(total), Amount(total)};
    held.voucher.signature.r.bytes.fill(static_cast<std::uint8_t>(total));
    held.session.bytes.fill(9);
    return held;
}

Amount total_of(const std::optional<ports::HeldVoucher>& held) {
    return held ? held->voucher.voucher.total : Amount{};
}

TEST_F(LedgerTest, KeepsTheHighestVoucherAcrossARestart) {
    ASSERT_TRUE(run(ledger_->keep_voucher(voucher(300), {})));
    ASSERT_TRUE(run(ledger_->keep_voucher(voucher(200), {})));
    ledger_ = reopen();
    const auto held = run(ledger_->highest_voucher(kSigner, kProvider));
    ASSERT_TRUE(held && *held);
    EXPECT_EQ((*held)->voucher, voucher(300).voucher);
    EXPECT_EQ((*held)->session, voucher(300).session);
}

TEST_F(LedgerTest, TheSessionIsStoredWithItsVoucher) {
    ports::SessionRecord session;
    session.id.bytes.fill(9);
    session.paid = Amount(300);
    ASSERT_TRUE(run(ledger_->keep_voucher(voucher(300), session)));
    ledger_ = reopen();
    const auto sessions = run(ledger_->sold_sessions({}, 10));
    ASSERT_EQ(sessions->size(), 1U);
    EXPECT_EQ((*sessions)[0].paid, Amount(300));
}

TEST_F(LedgerTest, HighestIsOfTheNewestEpoch) {
    ASSERT_TRUE(run(ledger_->keep_voucher(voucher(300, 1), {})));
    ASSERT_TRUE(run(ledger_->keep_voucher(voucher(5, 2), {})));
    EXPECT_EQ(total_of(*run(ledger_->highest_voucher(kSigner, kProvider))), Amount(5));
    EXPECT_EQ(run(ledger_->held_vouchers(kProvider))->size(), 2U);
}

TEST_F(LedgerTest, NeverPromisesLessThanBefore) {
    ASSERT_TRUE(run(ledger_->record_issued(voucher(300))));
    ASSERT_TRUE(run(ledger_->record_issued(voucher(300))));
    const auto lower = run(ledger_->record_issued(voucher(299)));
    ASSERT_FALSE(lower);
    EXPECT_EQ(lower.error().code, ErrorCode::failed_precondition);
    EXPECT_TRUE(run(ledger_->record_issued(voucher(301))));
    EXPECT_EQ(total_of(*run(ledger_->highest_issued(kSigner, kProvider, 0))), Amount(301));
    EXPECT_FALSE(*run(ledger_->highest_issued(kSigner, kProvider, 1)));
    EXPECT_EQ(run(ledger_->issued_vouchers(kSigner))->size(), 1U);
}

TEST_F(LedgerTest, HeldAndIssuedAreSeparate) {
    ASSERT_TRUE(run(ledger_->keep_voucher(voucher(10), {})));
    EXPECT_FALSE(*run(ledger_->highest_issued(kSigner, kProvider, 0)));
}

/// 100 and five ticks of ten.
ports::HeldVoucher with_ticks(std::uint16_t index) {
    auto held = voucher(100);
    held.voucher.voucher.cap = Amount(1'000);
    held.ticks = ports::HeldTicks{Hash32{{1}}, 10, 64, {index, Hash32{{2, static_cast<std::uint8_t>(index)}}}};
    return held;
}

TEST_F(LedgerTest, TheNewestTickIsKeptAcrossARestart) {
    ASSERT_TRUE(run(ledger_->keep_voucher(with_ticks(5), {})));
    ASSERT_TRUE(run(ledger_->keep_voucher(with_ticks(4), {})));
    ASSERT_TRUE(run(ledger_->keep_voucher(voucher(149), {})));
    ledger_ = reopen();
    const auto held = run(ledger_->highest_voucher(kSigner, kProvider));
    ASSERT_TRUE(held && *held);
    EXPECT_EQ((*held)->total(), Amount(150));
    EXPECT_EQ((*held)->ticks, with_ticks(5).ticks);
    EXPECT_EQ((*held)->voucher, with_ticks(5).voucher);
}

TEST_F(LedgerTest, AVoucherTakesThePlaceOfTicksOfTheSameWorthAndNotTheOtherWayRound) {
    ASSERT_TRUE(run(ledger_->keep_voucher(with_ticks(5), {})));
    ASSERT_TRUE(run(ledger_->keep_voucher(voucher(150), {})));
    ASSERT_TRUE(run(ledger_->keep_voucher(with_ticks(5), {})));
    const auto held = run(ledger_->highest_voucher(kSigner, kProvider));
    ASSERT_TRUE(held && *held);
    EXPECT_FALSE((*held)->ticks);
    EXPECT_EQ((*held)->voucher, voucher(150).voucher);
}

TEST_F(LedgerTest, ATickIsPromisedOnceItIsStored) {
    ASSERT_TRUE(run(ledger_->record_issued(with_ticks(5))));
    EXPECT_FALSE(run(ledger_->record_issued(with_ticks(4))));
    EXPECT_FALSE(run(ledger_->record_issued(voucher(149))));
    ledger_ = reopen();
    EXPECT_EQ((*run(ledger_->highest_issued(kSigner, kProvider, 0)))->total(), Amount(150));
    EXPECT_TRUE(run(ledger_->record_issued(voucher(150)))) << "the voucher they become";
    EXPECT_FALSE((*run(ledger_->highest_issued(kSigner, kProvider, 0)))->ticks);
}

Task<> submit(SqliteLedger& ledger, std::vector<std::uint64_t> totals, std::size_t& failed) {
    for (const auto total : totals) {
        const auto held = voucher(total);
        ports::SessionRecord session;
        auto kept = co_await ledger.keep_voucher(held, std::move(session));
        if (!kept) ++failed;
    }
}

/// Many tasks bring the same vouchers in any order.
Task<> race(SqliteLedger& ledger, std::size_t tasks, std::size_t submissions, std::size_t vouchers,
            std::size_t& failed) {
    std::mt19937 random(1);
    TaskGroup group(co_await asio::this_coro::executor);
    for (std::size_t i = 0; i < tasks; ++i) {
        std::vector<std::uint64_t> totals(submissions);
        for (std::size_t k = 0; k < submissions; ++k) totals[k] = k % vouchers + 1;
        std::shuffle(totals.begin(), totals.end(), random);
        group.spawn("submissions", submit(ledger, std::move(totals), failed));
    }
    co_await group.join();
}

TEST_F(LedgerTest, VouchersThatRaceLeaveTheHighest) {
    std::size_t failed = 0;
    EXPECT_EQ(run_task(context_, race(*ledger_, 64, 200, 50, failed)), nullptr);
    EXPECT_EQ(failed, 0U);
    EXPECT_EQ(total_of(*run(ledger_->highest_voucher(kSigner, kProvider))), Amount(50));
    ledger_ = reopen();
    EXPECT_EQ(total_of(*run(ledger_->highest_voucher(kSigner, kProvider))), Amount(50));
    EXPECT_EQ(run(ledger_->held_vouchers(kProvider))->size(), 1U);
}

TEST_F(LedgerTest, OrdersAmountsByValue) {
    for (std::uint64_t total : {255U, 256U, 65'535U, 65'536U}) {
        ASSERT_TRUE(run(ledger_->keep_voucher(voucher(total), {})));
        EXPECT_EQ(total_of(*run(ledger_->highest_voucher(kSigner, kProvider))), Amount(total));
    }
}

TEST_F(LedgerTest, SessionsRoundTripNewestFirst) {
    ports::SessionRecord session;
    session.id.bytes.fill(1);
    session.started = UnixTime(seconds(100));
    session.bytes_down = 1ULL << 40;
    session.cost = Amount(7);
    session.end_reason = "the consumer left";
    auto newer = session;
    newer.id.bytes.fill(2);
    newer.started = UnixTime(seconds(200));
    ASSERT_TRUE(run(ledger_->save_session(session)));
    ASSERT_TRUE(run(ledger_->save_session(newer)));
    const auto sessions = run(ledger_->sold_sessions({}, 10));
    ASSERT_EQ(sessions->size(), 2U);
    EXPECT_EQ((*sessions)[0].id, newer.id);
    EXPECT_EQ((*sessions)[1].bytes_down, session.bytes_down);
    EXPECT_EQ((*sessions)[1].end_reason, session.end_reason);
}

TEST_F(LedgerTest, SoldAndOpenSessionsAreThoseOfOneProvider) {
    ports::SessionRecord session;
    for (std::uint8_t i = 1; i <= 6; ++i) {
        session.id.bytes.fill(i);
        session.started = UnixTime(seconds(i));
        session.ended = i % 3 == 0 ? UnixTime(seconds(i + 1)) : UnixTime{};
        session.provider = i == 5 ? kSigner : kProvider;
        ASSERT_TRUE(run(ledger_->save_session(session)));
    }
    const auto started = [](const std::vector<ports::SessionRecord>& sessions) {
        std::vector<std::int64_t> seconds;
        for (const auto& one : sessions) seconds.push_back(one.started.time_since_epoch().count());
        return seconds;
    };
    EXPECT_EQ(started(*run(ledger_->sold_sessions(kProvider, 3))), (std::vector<std::int64_t>{6, 4, 3}));
    EXPECT_EQ(started(*run(ledger_->open_sessions(kProvider))), (std::vector<std::int64_t>{4, 2, 1}));
    EXPECT_EQ(started(*run(ledger_->open_sessions(kSigner))), (std::vector<std::int64_t>{5}));
}

TEST_F(LedgerTest, UnpaidIsSummedOverAllSessionsOfAPayer) {
    ports::SessionRecord session;
    session.signer = kSigner;
    session.provider = kProvider;
    session.id.bytes.fill(1);
    session.cost = Amount(100);
    session.paid = Amount(70);
    ASSERT_TRUE(run(ledger_->save_session(session)));
    EXPECT_EQ(*run(ledger_->unpaid(kSigner, kProvider)), Amount(30));
    EXPECT_EQ(*run(ledger_->unpaid(kProvider, kSigner)), Amount(0));
    session.id.bytes.fill(2);
    session.cost = Amount(10);
    session.paid = Amount(20);
    ASSERT_TRUE(run(ledger_->save_session(session)));
    EXPECT_EQ(*run(ledger_->unpaid(kSigner, kProvider)), Amount(20));
}

TEST_F(LedgerTest, ASecondProcessIsRefused) {
    const auto second = SqliteLedger::open(path());
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().describe().find("another mystd"), std::string::npos) << second.error().describe();
}

TEST_F(LedgerTest, ADamagedFileIsRefused) {
    ledger_.reset();
    std::ofstream(path(), std::ios::trunc) << std::string(8192, 'x');
    EXPECT_FALSE(SqliteLedger::open(path()));
}

TEST_F(LedgerTest, AfterAFailedWriteNothingIsCreditedAndWhatWasAcknowledgedIsThere) {
    ASSERT_TRUE(run(ledger_->keep_voucher(voucher(300), {})));
    {
        const sys::testing::FullDisk full(1);
        EXPECT_FALSE(run(ledger_->keep_voucher(voucher(400), {})));
    }
    EXPECT_FALSE(run(ledger_->keep_voucher(voucher(500), {}))) << "the disk was trusted again";
    EXPECT_FALSE(run(ledger_->record_issued(voucher(500)))) << "the disk was trusted again";
    EXPECT_FALSE(run(ledger_->highest_voucher(kSigner, kProvider))) << "memory may differ from the disk";
    ledger_ = reopen();
    EXPECT_EQ(total_of(*run(ledger_->highest_voucher(kSigner, kProvider))), Amount(300));
    EXPECT_TRUE(run(ledger_->keep_voucher(voucher(500), {})));
}

struct Recorder {
    std::vector<std::vector<int>> batches;
    std::optional<Error> failure;
    Task<Result<std::vector<Result<>>>> commit(std::vector<int> batch) {
        batches.push_back(batch);
        co_await sleep_for(milliseconds(0));
        if (failure) co_return tl::unexpected<Error>(*failure);
        std::vector<Result<>> outcomes;
        for (int value : batch) outcomes.push_back(value < 0 ? Result<>(fail(ErrorCode::io, "negative")) : Result<>());
        co_return outcomes;
    }
};

class GroupCommitTest : public testing::Test {
protected:
    /// Submits all values at once and returns which succeeded.
    std::vector<bool> submit_all(const std::vector<int>& values) {
        std::vector<bool> succeeded(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
            asio::co_spawn(context_, group_.submit(values[i]), [&succeeded, i](std::exception_ptr, Result<> outcome) {
                succeeded[i] = outcome.has_value();
            });
        }
        context_.run();
        context_.restart();
        return succeeded;
    }
    asio::io_context context_;
    Recorder recorder_;
    GroupCommit<int> group_{[this](std::vector<int> batch) { return recorder_.commit(std::move(batch)); }};
};

TEST_F(GroupCommitTest, WaitingWritesShareACommit) {
    EXPECT_EQ(submit_all({1, 2, 3, 4}), std::vector<bool>(4, true));
    ASSERT_EQ(recorder_.batches.size(), 2U);
    EXPECT_EQ(recorder_.batches[1], (std::vector<int>{2, 3, 4}));
}

TEST_F(GroupCommitTest, EachWriterLearnsItsOwnOutcome) {
    EXPECT_EQ(submit_all({1, -2, 3}), (std::vector<bool>{true, false, true}));
}

TEST_F(GroupCommitTest, NothingSucceedsAfterAFailedCommit) {
    recorder_.failure = Error{ErrorCode::io, "disk is gone"};
    EXPECT_EQ(submit_all({1, 2}), (std::vector<bool>{false, false}));
    recorder_.failure.reset();
    EXPECT_EQ(submit_all({3}), std::vector<bool>{false});
    EXPECT_EQ(recorder_.batches.size(), 1U) << "must not touch the disk again";
}

TEST_F(LedgerTest, ASessionIdBelongsToTheOneWhoUsedItFirst) {
    ports::SessionRecord session;
    session.id.bytes.fill(4);
    session.signer = kSigner;
    session.provider = kProvider;
    session.cost = Amount(50);
    EXPECT_FALSE(*run(ledger_->knows_session(session.id)));
    ASSERT_TRUE(run(ledger_->save_session(session)));
    EXPECT_TRUE(*run(ledger_->knows_session(session.id)));
    auto stolen = session;
    stolen.signer = kProvider;
    stolen.cost = Amount{};
    EXPECT_FALSE(run(ledger_->save_session(stolen)));
    auto held = voucher(300);
    held.signer = kProvider;
    EXPECT_FALSE(run(ledger_->keep_voucher(held, stolen)));
    EXPECT_FALSE(*run(ledger_->highest_voucher(kProvider, kProvider))) << "the refused write has left a trace";
    EXPECT_EQ(*run(ledger_->unpaid(kSigner, kProvider)), Amount(50)) << "the debt is gone";
}

}  // namespace
}  // namespace myst::ledger
