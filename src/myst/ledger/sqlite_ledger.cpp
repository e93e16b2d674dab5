#include "myst/ledger/sqlite_ledger.hpp"

#include <functional>
#include <utility>

#include "myst/ledger/ledger_tables.hpp"
#include "myst/runtime/group_commit.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst::ledger {
namespace {

using ports::HeldVoucher;
using ports::SessionRecord;
using Write = std::function<Result<>(LedgerTables&)>;

/// Rows of the journal at which it is folded into the tables: a few megabytes.
constexpr std::int64_t kFullJournal = 1 << 14;

/// Applies every write in one transaction. A write that is refused by a rule leaves no trace and fails alone; a
/// failing database fails the whole batch.
Result<std::vector<Result<>>> try_batch(LedgerTables& tables, const std::vector<Write>& writes) {
    if (tables.journal_size() >= kFullJournal) {
        if (auto folded = tables.fold(); !folded) return forward_error(folded);
    }
    auto transaction = sys::Transaction::begin(tables.database());
    if (!transaction) return forward_error(transaction);
    std::vector<Result<>> outcomes;
    outcomes.reserve(writes.size());
    for (const auto& write : writes) {
        auto outcome = write(tables);
        if (!outcome && outcome.error().code != ErrorCode::failed_precondition) return forward_error(outcome);
        outcomes.push_back(std::move(outcome));
    }
    if (auto done = tables.commit(*transaction); !done) return forward_error(done);
    return outcomes;
}

Result<std::vector<Result<>>> commit_batch(LedgerTables& tables, const std::vector<Write>& writes) {
    auto outcomes = try_batch(tables, writes);
    if (!outcomes) tables.give_up(outcomes.error());
    return outcomes;
}

}  // namespace

struct SqliteLedger::Impl {
    explicit Impl(LedgerTables opened)
        : tables(std::move(opened)), writes([this](std::vector<Write> batch) { return commit(std::move(batch)); }) {}

    Task<Result<std::vector<Result<>>>> commit(std::vector<Write> batch) {
        auto work = [this, batch = std::move(batch)] { return commit_batch(tables, batch); };
        co_return co_await thread.run(std::move(work));
    }

    LedgerTables tables;  ///< used on `thread` only
    GroupCommit<Write> writes;
    WorkerPool thread{1};  ///< last: joined before the tables go
};

Result<std::unique_ptr<SqliteLedger>> SqliteLedger::open(const std::string& path, const std::string& vfs) {
    auto tables = LedgerTables::open(path, vfs);
    if (!tables) return forward_error(tables, "ledger");
    return std::unique_ptr<SqliteLedger>(new SqliteLedger(std::make_unique<Impl>(std::move(*tables))));
}

SqliteLedger::SqliteLedger(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteLedger::~SqliteLedger() = default;

Task<Result<>> SqliteLedger::keep_voucher(HeldVoucher held, SessionRecord session) {
    return impl_->writes.submit(
        [entry = JournalEntry{held, std::move(session)}](LedgerTables& tables) { return tables.append(entry); });
}

Task<Result<>> SqliteLedger::record_issued(HeldVoucher issued) {
    return impl_->writes.submit([issued](LedgerTables& tables) { return tables.issue(issued); });
}

Task<Result<>> SqliteLedger::save_session(SessionRecord session) {
    return impl_->writes.submit([entry = JournalEntry{std::nullopt, std::move(session)}](LedgerTables& tables) {
        return tables.append(entry);
    });
}

Task<Result<std::optional<HeldVoucher>>> SqliteLedger::highest_voucher(Address signer, Address provider) {
    return impl_->thread.run([impl = impl_.get(), signer, provider] {
        return impl->tables.highest(Side::held, signer, provider, std::nullopt);
    });
}

Task<Result<std::optional<HeldVoucher>>> SqliteLedger::highest_issued(Address signer, Address provider,
                                                                      std::uint32_t epoch) {
    return impl_->thread.run([impl = impl_.get(), signer, provider, epoch] {
        return impl->tables.highest(Side::issued, signer, provider, epoch);
    });
}

Task<Result<std::vector<HeldVoucher>>> SqliteLedger::held_vouchers(Address provider) {
    return impl_->thread.run([impl = impl_.get(), provider] { return impl->tables.all_held_by(provider); });
}

Task<Result<std::vector<HeldVoucher>>> SqliteLedger::issued_vouchers(Address signer) {
    return impl_->thread.run([impl = impl_.get(), signer] { return impl->tables.all_issued_by(signer); });
}

Task<Result<bool>> SqliteLedger::knows_session(SessionId id) {
    return impl_->thread.run([impl = impl_.get(), id] { return impl->tables.knows_session(id); });
}

Task<Result<Amount>> SqliteLedger::unpaid(Address signer, Address provider) {
    return impl_->thread.run([impl = impl_.get(), signer, provider] { return impl->tables.unpaid(signer, provider); });
}

Task<Result<std::vector<SessionRecord>>> SqliteLedger::sold_sessions(Address provider, std::size_t limit) {
    return impl_->thread.run(
        [impl = impl_.get(), provider, limit] { return impl->tables.sold_sessions(provider, limit); });
}

Task<Result<std::vector<SessionRecord>>> SqliteLedger::open_sessions(Address provider) {
    return impl_->thread.run([impl = impl_.get(), provider] { return impl->tables.open_sessions(provider); });
}

}  // namespace myst::ledger
