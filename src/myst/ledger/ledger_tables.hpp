// The ledger's tables and the statements on them. Synchronous; belongs to the ledger's own thread.
//
// What a provider is paid goes to a journal, one checksummed row after the other: a commit writes few pages however
// many sessions it is about. Memory holds what the journal says beyond the tables; `fold` brings it into the tables and
// empties the journal.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "myst/ledger/mark.hpp"
#include "myst/ledger/row.hpp"
#include "myst/ports/ledger_store.hpp"
#include "myst/sys/sqlite.hpp"

namespace myst::ledger {

class LedgerTables {
public:
    /// Sessions of either role that are kept; of more, the oldest that are over are forgotten.
    static constexpr std::size_t kSessionHistory = 10'000;

    /// Opens the file, takes it for this process alone, creates the schema in a new file and reads every row.
    /// invalid_data if a page, the schema or a row is damaged, or if a commit is missing that had reached the disk;
    /// what was found stays as it was.
    /// `vfs` as in sys::DatabaseSettings.
    [[nodiscard]] static Result<LedgerTables> open(const std::string& path, const std::string& vfs = {});

    [[nodiscard]] sys::Database& database() { return database_; }
    /// Rows that were written to the journal since it was folded.
    [[nodiscard]] std::int64_t journal_size() const { return journal_size_; }
    /// Commits a transaction and then notes beside the file how far the journal is on disk.
    [[nodiscard]] Result<> commit(sys::Transaction& transaction);
    /// A transaction with `append` in it was not committed: memory and disk differ, and everything below fails from now
    /// on with this error.
    void give_up(const Error& error);

    // Within a transaction of the caller:
    /// Writes the session's state to the journal and with it the voucher, if there is one and it replaces that of its
    /// lane and epoch. failed_precondition, without a trace, if the session belongs to another payer or
    /// provider.
    [[nodiscard]] Result<> append(JournalEntry entry);
    /// Stores an issued voucher. failed_precondition if a higher total was issued on its lane and epoch.
    [[nodiscard]] Result<> issue(const ports::HeldVoucher& voucher);

    // In transactions of their own, unless it says otherwise:
    /// Brings the journal into the tables.
    [[nodiscard]] Result<> fold();
    /// The highest voucher of an epoch, or of the newest one. Writes nothing: strangers make us ask.
    [[nodiscard]] Result<std::optional<ports::HeldVoucher>> highest(Side side, const Address& signer,
                                                                    const Address& provider,
                                                                    std::optional<std::uint32_t> epoch);
    [[nodiscard]] Result<std::vector<ports::HeldVoucher>> all_held_by(const Address& provider);
    [[nodiscard]] Result<std::vector<ports::HeldVoucher>> all_issued_by(const Address& signer);
    [[nodiscard]] Result<bool> knows_session(const SessionId& id);
    /// Sum of costs less sum of payments of one payer's sessions with one provider; zero if more was paid.
    [[nodiscard]] Result<Amount> unpaid(const Address& signer, const Address& provider);
    [[nodiscard]] Result<std::vector<ports::SessionRecord>> sold_sessions(const Address& provider, std::size_t limit);
    [[nodiscard]] Result<std::vector<ports::SessionRecord>> open_sessions(const Address& provider);

private:
    using Lane = std::tuple<Address, Address, std::uint32_t>;  ///< signer, provider, epoch

    LedgerTables(sys::Database database, Mark mark);
    [[nodiscard]] Result<> replay();
    [[nodiscard]] Result<> check_rows();
    [[nodiscard]] Result<> write_tables();
    [[nodiscard]] Result<> add_row(const Bytes& row);
    [[nodiscard]] Result<> put_voucher(Side side, const ports::HeldVoucher& held);
    [[nodiscard]] Result<> put_session(const ports::SessionRecord& session);
    [[nodiscard]] Result<> put_sum(const LaneSum& sum);
    /// Brings the sums of the lanes up to date with the sessions that are newer than the tables; before those are.
    [[nodiscard]] Result<> update_sums();
    /// Removes old sessions beyond the history; their sums stay.
    [[nodiscard]] Result<> forget_old_sessions();
    [[nodiscard]] Result<LaneSum> sum_of(const Address& signer, const Address& provider);
    [[nodiscard]] Result<std::vector<LaneSum>> read_sums(sys::Statement& query);
    /// What the journal says of a lane, of this epoch or of the newest one in it.
    [[nodiscard]] const ports::HeldVoucher* newer_voucher(const Address& signer, const Address& provider,
                                                          std::optional<std::uint32_t> epoch) const;
    [[nodiscard]] Result<bool> is_highest(const ports::HeldVoucher& held);
    [[nodiscard]] Result<bool> may_write(const ports::SessionRecord& session);
    [[nodiscard]] Result<std::vector<ports::HeldVoucher>> read_vouchers(sys::Statement& query);
    /// Checks every row and returns those that are wanted.
    template <class Wanted>
    [[nodiscard]] Result<std::vector<ports::SessionRecord>> read_sessions(sys::Statement& query, Wanted wanted);
    [[nodiscard]] Result<std::vector<ports::SessionRecord>> read_sessions(sys::Statement& query);

    sys::Database database_;
    Mark mark_;
    sys::Statement append_;
    sys::Statement put_voucher_;
    sys::Statement find_voucher_;
    sys::Statement find_newest_;
    sys::Statement list_vouchers_of_provider_;
    sys::Statement list_vouchers_of_signer_;
    sys::Statement put_session_;
    sys::Statement find_session_;
    sys::Statement list_sold_;
    sys::Statement list_sessions_between_;
    sys::Statement list_oldest_sessions_;
    sys::Statement remove_session_;
    sys::Statement put_sum_;
    sys::Statement find_sum_;

    std::map<Lane, ports::HeldVoucher> newer_vouchers_;  ///< in the journal and not yet in the tables
    std::unordered_map<SessionId, ports::SessionRecord, FixedBytesHash> newer_sessions_;  ///< likewise
    std::size_t session_count_ = 0;                                                       ///< rows in the table
    std::int64_t journal_size_ = 0;
    std::int64_t position_ = 0;  ///< number of the journal's last row; goes on over folds
    std::optional<Error> failure_;
};

}  // namespace myst::ledger
