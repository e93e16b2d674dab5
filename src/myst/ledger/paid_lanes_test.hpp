// For tests: a few lanes whose vouchers and sessions follow from (lane, total), so that what a ledger says after a
// failure can be compared with what was asked of it.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <map>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "myst/ledger/sqlite_ledger.hpp"
#include "myst/sys/task_test.hpp"
#include "myst/sys/test_support/memory_disk.hpp"
#include "myst/sys/test_support/repetitions.hpp"

namespace myst::ledger::testing {

inline constexpr std::uint32_t kEpoch = 3;
inline constexpr std::size_t kLanes = 3;
inline const std::string kPath = "ledger.db";

inline Address provider() {
    return Address{{2}};
}
inline Address payer(std::size_t lane) {
    Address address;
    address.bytes.fill(static_cast<std::uint8_t>(lane + 1));
    return address;
}

/// The voucher of this total; the total is in the signature, too.
inline ports::HeldVoucher voucher_of(std::size_t lane, std::uint64_t total) {
    ports::HeldVoucher held;
    held.signer = payer(lane);
    held.voucher.voucher = {provider(), kEpoch, Amount(total), Amount(total + 1)};
    held.voucher.signature.r.bytes.fill(0xa5);
    held.voucher.signature.r.bytes[0] = 0x5a;
    for (std::size_t i = 0; i < sizeof total; ++i) {
        held.voucher.signature.vs.bytes[i] = static_cast<std::uint8_t>(total >> (8 * i));
    }
    held.session.bytes.fill(static_cast<std::uint8_t>(lane + 1));
    return held;
}

/// The session's state that is stored together with this voucher.
inline ports::SessionRecord session_of(std::size_t lane, std::uint64_t total) {
    ports::SessionRecord record;
    record.id.bytes.fill(static_cast<std::uint8_t>(lane + 1));
    record.signer = payer(lane);
    record.provider = provider();
    record.started = UnixTime(seconds(1'000'000 + lane));
    record.paid = Amount(total);
    record.end_reason = "paid " + std::to_string(total);
    return record;
}

/// One call of the ledger.
struct Step {
    enum class What { keep, issue, settle };
    What what{};
    std::size_t lane = 0;
    std::uint64_t total = 0;
};

/// Payments on all lanes, promises, and now and then what settlement asks.
inline std::vector<Step> steps(std::size_t from, std::size_t to) {
    std::vector<Step> all;
    for (std::size_t i = from; i < to; ++i) {
        const auto what = i % 10 == 9 ? Step::What::settle : i % 3 == 2 ? Step::What::issue : Step::What::keep;
        all.push_back({what, i / 3 % kLanes, i + 1});
    }
    return all;
}

/// A ledger on a disk, opened or not, and the control thread it lives on.
class OpenLedger {
public:
    explicit OpenLedger(const sys::testing::MemoryDisk& disk) : opened_(SqliteLedger::open(kPath, disk.name())) {}
    [[nodiscard]] explicit operator bool() const { return opened_.has_value(); }
    [[nodiscard]] const Error& error() const { return opened_.error(); }
    SqliteLedger* operator->() { return opened_->get(); }
    SqliteLedger& operator*() { return **opened_; }
    template <class T>
    T run(Task<T> task) {
        return sys::testing::run_value(context_, std::move(task));
    }

private:
    asio::io_context context_;
    Result<std::unique_ptr<SqliteLedger>> opened_;  ///< last: its thread returns to the context
};

inline Result<> perform(OpenLedger& ledger, const Step& step) {
    const auto voucher = voucher_of(step.lane, step.total);
    if (step.what == Step::What::keep) {
        return ledger.run(ledger->keep_voucher(voucher, session_of(step.lane, step.total)));
    }
    if (step.what == Step::What::issue) return ledger.run(ledger->record_issued(voucher));
    auto held = ledger.run(ledger->held_vouchers(provider()));
    if (!held) return forward_error(held);
    return {};
}

/// Totals by lane.
struct Totals {
    std::array<std::uint64_t, kLanes> held{};
    std::array<std::uint64_t, kLanes> issued{};
    void add(const Step& step) {
        if (step.what == Step::What::keep) held[step.lane] = std::max(held[step.lane], step.total);
        if (step.what == Step::What::issue) issued[step.lane] = std::max(issued[step.lane], step.total);
    }
};

/// Does the steps from `from` on until one fails, and remarks 2i on the disk before and 2i + 1 after the i-th. Returns
/// the one that failed, or the number of steps.
inline std::size_t perform_all(sys::testing::MemoryDisk& disk, OpenLedger& ledger, const std::vector<Step>& all,
                               std::size_t from = 0) {
    for (auto i = from; i < all.size(); ++i) {
        disk.remark(2 * i);
        if (!perform(ledger, all[i])) return i;
        disk.remark(2 * i + 1);
    }
    return all.size();
}

/// What the log's remarks say: asked for by then, and acknowledged by then.
struct Promises {
    Totals asked;
    Totals acknowledged;
};
inline Promises promises(sys::testing::DiskLog log, const std::vector<Step>& all) {
    Promises result;
    for (const auto& event : log) {
        if (event.kind != sys::testing::DiskEvent::Kind::remark) continue;
        auto& totals = event.offset % 2 == 0 ? result.asked : result.acknowledged;
        totals.add(all.at(event.offset / 2));
    }
    return result;
}

inline ::testing::AssertionResult between(std::uint64_t least, std::uint64_t found, std::uint64_t most,
                                          const char* what, std::size_t lane) {
    if (least <= found && found <= most) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << what << " " << found << " on lane " << lane << ", expected " << least
                                         << " to " << most;
}

inline std::uint64_t total_of(const ports::HeldVoucher& held) {
    return static_cast<std::uint64_t>(held.voucher.voucher.total.units());
}

/// Every acknowledged voucher is there, none that nobody sent, and each session is of the same moment as its voucher.
inline ::testing::AssertionResult keeps(OpenLedger& ledger, const Promises& promises) {
    const auto sessions = ledger.run(ledger->sold_sessions(provider(), kLanes + 1));
    if (!sessions) return ::testing::AssertionFailure() << sessions.error().describe();
    std::map<Address, Amount> paid;
    for (const auto& session : *sessions) paid[session.signer] = session.paid;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
        const auto held = ledger.run(ledger->highest_voucher(payer(lane), provider()));
        const auto issued = ledger.run(ledger->highest_issued(payer(lane), provider(), kEpoch));
        if (!held || !issued) return ::testing::AssertionFailure() << "no answer for lane " << lane;
        const auto held_total = *held ? total_of(**held) : 0;
        const auto issued_total = *issued ? total_of(**issued) : 0;
        if (auto right = between(promises.acknowledged.held[lane], held_total, promises.asked.held[lane], "held", lane);
            !right) {
            return right;
        }
        if (auto right =
                between(promises.acknowledged.issued[lane], issued_total, promises.asked.issued[lane], "issued", lane);
            !right) {
            return right;
        }
        if (*held && (*held)->voucher != voucher_of(lane, held_total).voucher) {
            return ::testing::AssertionFailure() << "another voucher on lane " << lane;
        }
        if (paid[payer(lane)] != Amount(held_total)) {
            return ::testing::AssertionFailure() << "the session of lane " << lane << " is of another moment";
        }
    }
    return ::testing::AssertionSuccess();
}

/// The same of a ledger that is opened on the disk.
inline ::testing::AssertionResult opens_and_keeps(const sys::testing::MemoryDisk& disk, const Promises& promises) {
    OpenLedger ledger(disk);
    if (!ledger) return ::testing::AssertionFailure() << ledger.error().describe();
    return keeps(ledger, promises);
}

}  // namespace myst::ledger::testing
