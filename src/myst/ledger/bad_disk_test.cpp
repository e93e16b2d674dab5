// A disk that fails, once and at every call, and bytes that are not what was written.
#include <gtest/gtest.h>

#include <iostream>

#include <fmt/format.h>

#include "myst/ledger/paid_lanes_test.hpp"

namespace myst::ledger {
namespace {

using namespace ledger::testing;
using sys::testing::DiskEvent;
using sys::testing::DiskFault;
using sys::testing::DiskLog;
using sys::testing::Files;
using sys::testing::MemoryDisk;
using Kind = DiskEvent::Kind;

constexpr std::size_t kBefore = 20;
constexpr std::size_t kSettledAfter = 30;  ///< the last of so many steps asks what settlement asks

/// What a process leaves that was killed after some steps, and what it had promised.
struct Left {
    std::vector<Step> all;
    Files files;
    Promises promised;
};

/// The process was closed and started again after `reopened` of `count` steps.
Left left_by_a_crash(std::size_t count, std::size_t reopened) {
    MemoryDisk disk;
    Left left{steps(0, count), {}, {}};
    const auto first = steps(0, reopened);
    {
        OpenLedger ledger(disk);
        EXPECT_TRUE(ledger);
        EXPECT_EQ(perform_all(disk, ledger, first), first.size());
    }
    OpenLedger ledger(disk);
    EXPECT_TRUE(ledger);
    EXPECT_EQ(perform_all(disk, ledger, left.all, first.size()), count);
    left.files = disk.files();
    left.promised = promises(disk.log(), left.all);
    return left;
}

/// The first step that failed, if one did; the ledger is closed afterwards.
std::optional<std::size_t> use(MemoryDisk& disk, const std::vector<Step>& all) {
    OpenLedger ledger(disk);
    if (!ledger) return 0;
    const auto done = perform_all(disk, ledger, all, kBefore);
    if (done == all.size()) return std::nullopt;
    for (auto later = done; later < all.size(); ++later) {
        EXPECT_FALSE(perform(ledger, all[later])) << "the disk was trusted again at step " << later;
    }
    return done;
}

TEST(LedgerBadDisk, AfterAnyFailedCallNothingIsAcknowledgedAndNothingIsLost) {
    const auto left = left_by_a_crash(kBefore, kBefore / 2);
    const auto all = steps(0, 2 * kBefore);
    std::size_t calls = 0;
    {
        MemoryDisk healthy(left.files);
        ASSERT_FALSE(use(healthy, all));
        calls = healthy.calls();
    }
    std::size_t failures = 0;
    std::size_t failed_syncs = 0;
    for (std::size_t call = 0; call < calls; ++call) {
        for (const auto fault : {DiskFault::io_error, DiskFault::no_space, DiskFault::short_write}) {
            MemoryDisk disk(left.files);
            disk.fail_once(call, fault);
            std::ignore = use(disk, all);
            const auto failure = disk.failure();
            if (!failure) continue;  // not a call that can fail in this way
            ++failures;
            const auto log = disk.log();
            auto promised = promises(log, all);
            for (std::size_t i = 0; i < kBefore; ++i) {
                promised.asked.add(all[i]);
                promised.acknowledged.add(all[i]);
            }
            ASSERT_TRUE(opens_and_keeps(disk, promised)) << "call " << call << ", fault " << static_cast<int>(fault);
            if (!failure->sync) continue;
            ++failed_syncs;
            for (const auto& event : DiskLog(log).subspan(failure->events)) {
                ASSERT_FALSE(event.kind == Kind::sync && event.file == failure->file)
                    << "a failed sync of " << event.file << " was tried again, call " << call;
            }
        }
    }
    EXPECT_GT(failed_syncs, 20U);
    std::cout << failures << " failed calls, " << failed_syncs << " of them syncs\n";
}

/// Everything the ledger answers about the lanes, as text; none if it does not open or does not answer.
std::optional<std::string> answers(const MemoryDisk& disk) {
    OpenLedger ledger(disk);
    if (!ledger) return std::nullopt;
    std::string all;
    const auto add = [&all](const auto& vouchers) {
        for (const auto& held : vouchers) {
            all += fmt::format("{} {} {},", held.signer.hex(), total_of(held), held.voucher.signature.vs.hex());
        }
    };
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        const auto issued = ledger.run(ledger->issued_vouchers(payer(lane)));
        if (!issued) return std::nullopt;
        add(*issued);
    }
    const auto held = ledger.run(ledger->held_vouchers(provider()));
    const auto sessions = ledger.run(ledger->sold_sessions(provider(), kLanes + 1));
    if (!held || !sessions) return std::nullopt;
    add(*held);
    for (const auto& session : *sessions) all += session.id.hex() + session.end_reason;
    return all;
}

/// Flips bytes of one file, one at a time; returns how many were noticed.
std::size_t flip(const Left& left, const std::string& name, std::size_t flips, std::mt19937_64& random) {
    const auto expected = answers(MemoryDisk(left.files));
    EXPECT_TRUE(expected);
    const auto size = left.files.at(name).size();
    std::size_t noticed = 0;
    for (std::size_t i = 0; i < flips; ++i) {
        auto damaged = left.files;
        const auto position = random() % size;
        damaged[name][position] ^= static_cast<std::uint8_t>(1 + random() % 255);
        const MemoryDisk disk(damaged);
        const auto found = answers(disk);
        EXPECT_TRUE(found || name == kPath || disk.files() == damaged) << "what was damaged is gone, byte " << position;
        EXPECT_TRUE(!found || found == expected) << "byte " << position << " of " << name;
        noticed += found ? 0 : 1;
    }
    return noticed;
}

TEST(LedgerBadDisk, AFlippedByteInWhatACrashLeftIsNoticedOrHarmless) {
    std::mt19937_64 random(20'240'504);
    const auto flips = sys::testing::repetitions("MYST_FLIPS", 1'000);
    // Nearly everything in the log, whose last commits nothing but the mark guards; and everything in the file.
    const auto in_use = left_by_a_crash(kBefore + 8, kBefore / 2);
    const auto just_started = left_by_a_crash(kSettledAfter, kSettledAfter);
    const auto in_log = flip(in_use, kPath + "-wal", flips * 6 / 10, random);
    const auto in_file = flip(just_started, kPath, flips * 3 / 10, random);
    const auto in_mark = flip(in_use, kPath + "-mark", flips / 10, random);
    EXPECT_GT(in_log, flips / 2);
    EXPECT_GT(in_file, 0U);
    std::cout << flips << " flips; noticed " << in_log << " in the log, " << in_file << " in the file, " << in_mark
              << " in the mark\n";
}

TEST(LedgerBadDisk, ALedgerThatIsOlderThanItsMarkIsRefused) {
    const auto old = left_by_a_crash(5, 2);
    auto files = left_by_a_crash(kBefore, kBefore / 2).files;
    const auto mark = files.at(kPath + "-mark");
    files = old.files;
    files[kPath + "-mark"] = mark;
    const MemoryDisk disk(files);
    const auto refused = SqliteLedger::open(kPath, disk.name());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_data);
    EXPECT_NE(refused.error().cure.find(kPath + "-mark"), std::string::npos);
    files.erase(kPath + "-mark");
    EXPECT_TRUE(opens_and_keeps(MemoryDisk(files), old.promised)) << "the backup cannot be used";
}

}  // namespace
}  // namespace myst::ledger
