// Killed processes and power failures at every point and at random ones: what was acknowledged is there again.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <iostream>
#include <set>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "myst/base/check.hpp"
#include "myst/base/failpoint.hpp"
#include "myst/ledger/ledger_tables.hpp"
#include "myst/ledger/paid_lanes_test.hpp"
#include "myst/runtime/run_task.hpp"
#include "myst/runtime/task_group.hpp"
#include "myst/sys/fd.hpp"

namespace myst::ledger {
namespace {

using namespace ledger::testing;
using sys::testing::DiskEvent;
using sys::testing::DiskLog;
using sys::testing::MemoryDisk;
using Kind = DiskEvent::Kind;

/// A disk on which a ledger was made, used, closed, opened again and used.
class UsedDisk {
public:
    /// `first` and then `second` steps.
    UsedDisk(std::size_t first, std::size_t second) : all_(steps(0, first + second)) {
        use(steps(0, first), 0);
        use(all_, first, [this] { log_ = disk_.log(); });  // the ledger is still open
    }
    /// What happened before event `count`.
    [[nodiscard]] DiskLog until(std::size_t count) const { return DiskLog(log_).first(count); }
    [[nodiscard]] Promises promises(std::size_t count) const { return ledger::testing::promises(until(count), all_); }
    [[nodiscard]] const std::vector<DiskEvent>& log() const { return log_; }

private:
    void use(
        const std::vector<Step>& all, std::size_t from, const std::function<void()>& at_end = [] {}) {
        OpenLedger ledger(disk_);
        ASSERT_TRUE(ledger) << ledger.error().describe();
        EXPECT_EQ(perform_all(disk_, ledger, all, from), all.size());
        at_end();
    }
    MemoryDisk disk_;
    std::vector<Step> all_;
    std::vector<DiskEvent> log_;
};

TEST(LedgerCrash, AtEveryWriteAndSyncNothingAcknowledgedIsLost) {
    const UsedDisk used(24, 12);
    std::size_t points = 0;
    for (std::size_t i = 0; i < used.log().size(); ++i) {
        const auto& next = used.log()[i];
        if (next.kind == Kind::remark) continue;
        for (const auto* torn : {static_cast<const DiskEvent*>(nullptr), &next}) {
            if (torn && next.kind != Kind::write) continue;
            const MemoryDisk disk(sys::testing::after_kill({}, used.until(i), torn));
            ASSERT_TRUE(opens_and_keeps(disk, used.promises(i))) << "event " << i << (torn ? ", torn" : "");
            ++points;
        }
    }
    std::cout << points << " crash points\n";
}

TEST(LedgerCrash, AtEveryPointOfTheNextStartNothingIsLost) {
    const UsedDisk used(6, 20);
    const auto before = sys::testing::after_kill({}, used.until(used.log().size()));
    const auto promised = used.promises(used.log().size());
    const MemoryDisk first(before);
    ASSERT_TRUE(opens_and_keeps(first, promised));
    const auto start = first.log();
    for (std::size_t i = 0; i < start.size(); ++i) {
        const MemoryDisk second(sys::testing::after_kill(before, DiskLog(start).first(i), &start[i]));
        ASSERT_TRUE(opens_and_keeps(second, promised)) << "event " << i;
    }
    std::cout << start.size() << " crash points of a start\n";
}

TEST(LedgerCrash, APowerFailureTakesNothingAcknowledged) {
    const UsedDisk used(60, 400);  // the log becomes long enough to be moved into the file
    std::mt19937_64 random(20'240'502);
    const auto cuts = sys::testing::repetitions("MYST_POWER_CUTS", 500);
    for (std::size_t cut = 0; cut < cuts; ++cut) {
        const auto point = random() % (used.log().size() + 1);
        const auto promised = used.promises(point);
        const auto left = sys::testing::after_power_failure({}, used.until(point), random);
        const MemoryDisk first(left);
        ASSERT_TRUE(opens_and_keeps(first, promised)) << "cut " << cut << " at event " << point;
        if (cut % 4 != 0) continue;
        const auto start = first.log();  // and again while it starts
        const auto again = DiskLog(start).first(random() % (start.size() + 1));
        const MemoryDisk second(sys::testing::after_power_failure(left, again, random));
        ASSERT_TRUE(opens_and_keeps(second, promised)) << "second cut " << cut << " at event " << point;
    }
    std::cout << cuts << " power failures in " << used.log().size() << " events\n";
}

// ---- order ---------------------------------------------------------------------------------------------------------

constexpr std::size_t kMessages = 1'000;
constexpr std::size_t kAtOnce = 8;

/// Vouchers in both directions, remarked when the ledger says that they are on disk.
Task<> take_and_promise(SqliteLedger& ledger, MemoryDisk& disk, std::size_t lane) {
    for (std::size_t total = 1; total <= kMessages / kAtOnce; ++total) {
        const auto number = total * kAtOnce + lane;
        auto held = voucher_of(lane, number);
        auto session = session_of(lane, number);
        Result<> stored;
        if (lane % 2 == 0) {
            stored = co_await ledger.keep_voucher(held, session);
        } else {
            stored = co_await ledger.record_issued(held);
        }
        CHECK(stored);
        disk.remark(number);
    }
}

Task<bool> take_and_promise_all(SqliteLedger& ledger, MemoryDisk& disk) {
    TaskGroup group(co_await asio::this_coro::executor);
    for (std::size_t lane = 0; lane < kAtOnce; ++lane) group.spawn("lane", take_and_promise(ledger, disk, lane));
    co_await group.join();
    co_return true;
}

/// Numbers of the vouchers in what is written.
std::vector<std::uint64_t> vouchers_in(const Bytes& data) {
    const auto r = voucher_of(0, 0).voucher.signature.r;
    std::vector<std::uint64_t> found;
    for (auto at = data.begin();;) {
        at = std::search(at, data.end(), r.bytes.begin(), r.bytes.end());
        if (data.end() - at < 40) return found;
        at += 32;
        std::uint64_t number = 0;
        for (std::size_t i = 8; i-- > 0;) number = number << 8 | at[static_cast<std::ptrdiff_t>(i)];
        found.push_back(number);
    }
}

TEST(LedgerOrder, AVoucherIsSyncedBeforeItIsAcknowledgedOrSent) {
    MemoryDisk disk;
    OpenLedger ledger(disk);
    ASSERT_TRUE(ledger) << ledger.error().describe();
    ASSERT_TRUE(ledger.run(take_and_promise_all(*ledger, disk)));
    std::set<std::uint64_t> written;
    std::set<std::uint64_t> synced;
    std::size_t messages = 0;
    std::size_t syncs = 0;
    for (const auto& event : disk.log()) {
        if (event.kind == Kind::write && event.file == kPath + "-wal") {
            for (const auto number : vouchers_in(event.data)) written.insert(number);
        } else if (event.kind == Kind::sync && event.file == kPath + "-wal") {
            synced.merge(written);
            ++syncs;
        } else if (event.kind == Kind::remark) {
            ASSERT_TRUE(synced.contains(event.offset)) << "voucher " << event.offset;
            ++messages;
        }
    }
    EXPECT_EQ(messages, kMessages);
    EXPECT_LT(syncs, kMessages) << "no commit was shared";
    std::cout << messages << " messages, " << syncs << " syncs of the log\n";
}

// ---- kill -9 -------------------------------------------------------------------------------------------------------

constexpr std::size_t kPayers = 16;
using PaidTotals = std::array<std::uint64_t, kPayers>;

struct Acknowledgement {
    std::uint64_t lane = 0;
    std::uint64_t total = 0;
};

Task<> pay_for_ever(SqliteLedger& ledger, std::size_t lane, std::uint64_t total, int pipe) {
    for (;;) {
        ++total;
        auto held = voucher_of(lane, total);
        auto session = session_of(lane, total);
        auto kept = co_await ledger.keep_voucher(held, session);
        const Acknowledgement acknowledgement{lane, total};
        if (!kept || write(pipe, &acknowledgement, sizeof acknowledgement) != sizeof acknowledgement) _exit(1);
    }
}

Task<> pay_all(SqliteLedger& ledger, PaidTotals totals, int pipe) {
    TaskGroup group(co_await asio::this_coro::executor);
    for (std::size_t lane = 0; lane < kPayers; ++lane) {
        group.spawn("lane", pay_for_ever(ledger, lane, totals[lane], pipe));
    }
    co_await group.join();
}

/// The process that is killed.
[[noreturn]] void take_vouchers(const std::string& path, const PaidTotals& totals, int pipe) {
    asio::io_context context;
    auto ledger = SqliteLedger::open(path);
    if (!ledger) _exit(1);
    std::ignore = run_task(context, pay_all(**ledger, totals, pipe));
    _exit(1);
}

/// What the ledger holds; fails the test if it cannot be opened.
PaidTotals held_totals(const std::string& path) {
    PaidTotals totals{};
    auto tables = LedgerTables::open(path);
    EXPECT_TRUE(tables) << tables.error().describe();
    if (!tables) return totals;
    const auto all = tables->all_held_by(provider());
    EXPECT_TRUE(all);
    for (const auto& held : *all) {
        const auto lane = static_cast<std::size_t>(held.signer.bytes[0]) - 1;
        totals.at(lane) = total_of(held);
        EXPECT_EQ(held.voucher, voucher_of(lane, totals.at(lane)).voucher);
    }
    return totals;
}

/// How fast the killed processes were.
struct Pace {
    std::size_t acknowledged = 0;
    std::chrono::nanoseconds running{};
    [[nodiscard]] std::size_t per_second() const {
        const auto time = std::chrono::duration_cast<milliseconds>(running).count();
        return acknowledged * 1'000 / static_cast<std::size_t>(std::max<std::int64_t>(time, 1));
    }
};

void reap(pid_t child) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the ledger refused to work";
}

void kill_and_reap(pid_t child) {
    ASSERT_EQ(kill(child, SIGKILL), 0);
    reap(child);
}

/// Lets a process take vouchers beyond `totals` and kills it when it has acknowledged `enough` of them; `totals` are
/// then those that it acknowledged in all.
void take_until_killed(const std::string& path, PaidTotals& totals, std::size_t enough, Pace& pace) {
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    const sys::Fd acknowledgements(ends[0]);
    sys::Fd to_parent(ends[1]);
    const auto child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) take_vouchers(path, totals, to_parent.get());
    to_parent.reset();
    Acknowledgement next;
    const auto receive = [&] {
        if (read(acknowledgements.get(), &next, sizeof next) != sizeof next) return false;
        totals.at(next.lane) = next.total;
        return true;
    };
    std::optional<std::chrono::steady_clock::time_point> since;
    for (std::size_t i = 0; i < enough; ++i) {
        ASSERT_TRUE(receive()) << "the process has ended by itself";
        if (!since) since = std::chrono::steady_clock::now();
    }
    if (since) pace.running += std::chrono::steady_clock::now() - *since;
    pace.acknowledged += enough;
    kill_and_reap(child);
    while (receive()) {
    }
}

TEST(LedgerCrash, AKilledProcessHasLostNothingItAcknowledged) {
    // Memory as a disk: what a killed process has written is there whether it was synced or not.
    const auto folder = std::filesystem::path("/dev/shm") / ("myst_kill_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    const auto path = (folder / "ledger.db").string();
    std::mt19937_64 random(20'240'503);
    const auto kills = sys::testing::repetitions("MYST_KILLS", 50);
    PaidTotals totals{};
    Pace pace;
    for (std::size_t i = 0; i < kills && !HasFailure(); ++i) {
        const auto enough = i % 5 == 0 ? 0 : random() % 300;  // each fifth is killed while it starts
        auto acknowledged = totals;
        take_until_killed(path, acknowledged, enough, pace);
        totals = held_totals(path);
        for (std::size_t lane = 0; lane < kPayers; ++lane) {
            EXPECT_GE(totals[lane], acknowledged[lane]) << "lost, kill " << i << ", lane " << lane;
            EXPECT_LE(totals[lane], acknowledged[lane] + 1) << "nobody sent it, kill " << i << ", lane " << lane;
        }
    }
    EXPECT_GE(pace.per_second(), 200U) << "vouchers per second";
    std::cout << kills << " kills at " << pace.per_second() << " vouchers/s\n";
    std::filesystem::remove_all(folder);
}

/// Lets a process take vouchers beyond `totals` until it comes to `place` for the `visit`th time; `totals` are then
/// those that it acknowledged in all.
void take_until_place(const std::string& path, PaidTotals& totals, std::string_view place, unsigned visit) {
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    const sys::Fd acknowledgements(ends[0]);
    sys::Fd to_parent(ends[1]);
    const auto child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        unsigned visits = 0;  // the ledger's own thread counts, or the only one there is yet
        const FailpointWatch watch([&](std::string_view reached) {
            if (reached == place && ++visits == visit) ::kill(getpid(), SIGKILL);
        });
        take_vouchers(path, totals, to_parent.get());
    }
    to_parent.reset();
    Acknowledgement next;
    while (read(acknowledgements.get(), &next, sizeof next) == sizeof next) totals.at(next.lane) = next.total;
    reap(child);
}

TEST(LedgerCrash, AProcessKilledAtANamedPlaceHasLostNothingItAcknowledged) {
    const auto folder = std::filesystem::path("/dev/shm") / ("myst_places_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder);
    const auto path = (folder / "ledger.db").string();
    PaidTotals totals{};
    for (const auto* place : {"ledger: mark synced", "ledger: committed", "ledger: mark written"}) {
        for (const unsigned visit : {1U, 2U, 7U}) {
            if (visit > 1 && std::string_view(place) == "ledger: mark synced") continue;  // once a start
            auto acknowledged = totals;
            take_until_place(path, acknowledged, place, visit);
            totals = held_totals(path);
            for (std::size_t lane = 0; lane < kPayers; ++lane) {
                EXPECT_GE(totals[lane], acknowledged[lane]) << place << ", visit " << visit << ", lane " << lane;
                EXPECT_LE(totals[lane], acknowledged[lane] + 1) << place << ", visit " << visit << ", lane " << lane;
            }
        }
    }
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace myst::ledger
