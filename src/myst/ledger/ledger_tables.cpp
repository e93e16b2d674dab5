#include "myst/ledger/ledger_tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "myst/base/failpoint.hpp"

namespace myst::ledger {
namespace {

using ports::HeldVoucher;
using ports::SessionRecord;

/// A request that names a session is refused by its age when this has passed since the session began.
constexpr seconds kReplayed{240};
/// How far the history may grow before it is cut, so that not every fold has to look.
constexpr std::size_t kHistorySlack = 100;

const std::vector<std::string>& migrations() {
    static const std::vector<std::string> all{
        // `row` holds everything, with a checksum (row.hpp); the other columns are for finding it.
        "CREATE TABLE journal(seq INTEGER PRIMARY KEY, row BLOB NOT NULL);"
        "CREATE TABLE lane_vouchers("
        "  side INTEGER NOT NULL, signer BLOB NOT NULL, provider BLOB NOT NULL, epoch INTEGER NOT NULL,"
        "  row BLOB NOT NULL, PRIMARY KEY(side, signer, provider, epoch)) WITHOUT ROWID;"
        "CREATE TABLE session_records("
        "  id BLOB PRIMARY KEY, signer BLOB NOT NULL, provider BLOB NOT NULL, started INTEGER NOT NULL,"
        "  row BLOB NOT NULL) WITHOUT ROWID;"
        "CREATE INDEX sessions_by_start ON session_records(started);"
        "CREATE INDEX sessions_by_lane ON session_records(signer, provider)",
        // What all sessions of a lane cost and brought, those that are not kept any more included.
        "CREATE TABLE lane_sums("
        "  signer BLOB NOT NULL, provider BLOB NOT NULL, row BLOB NOT NULL,"
        "  PRIMARY KEY(signer, provider)) WITHOUT ROWID",
    };
    return all;
}

tl::unexpected<Error> damaged(std::string_view what) {
    return fail(ErrorCode::invalid_data, fmt::format("ledger: {}", what), "restore a backup");
}

std::string mark_path(const std::string& path) {
    return path + "-mark";
}

tl::unexpected<Error> commits_missing(const std::string& path) {
    return fail(
        ErrorCode::invalid_data, "ledger: " + path + ": commits are missing that had reached the disk",
        fmt::format("restore a backup, and remove {} so that the backup is taken for the truth", mark_path(path)));
}

/// The column holds `value`.
template <class Fixed>
bool same(const sys::Statement& row, int column, const Fixed& value) {
    const auto found = row.fixed<Fixed>(column);
    return found && *found == value;
}

/// The text of everything in the schema.
Result<std::string> schema_of(sys::Database& database) {
    // Asked without preparing first: preparing aborts where the schema cannot be read.
    if (auto readable = database.execute("SELECT count(*) FROM sqlite_schema"); !readable) {
        return forward_error(readable);
    }
    auto query = database.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name");
    std::string schema;
    for (;;) {
        auto row = query.step();
        if (!row) return forward_error(row);
        if (!*row) return schema;
        for (int column = 0; column < 4; ++column) schema += query.text(column) + '\n';
    }
}

Result<std::string> expected_schema() {
    auto scratch = sys::Database::open(":memory:", sys::Durability::normal);
    if (!scratch) return forward_error(scratch);
    if (auto made = scratch->migrate(migrations()); !made) return forward_error(made);
    return schema_of(*scratch);
}

/// What SQLite can tell by itself: the pages form the trees they should, and the indexes match the tables.
Result<> check_pages(sys::Database& database) {
    auto query = database.prepare("PRAGMA integrity_check(1)");
    auto row = query.step();
    if (!row) return forward_error(row);
    const auto verdict = query.text(0);
    if (verdict != "ok") return damaged(verdict);
    return {};
}

Result<> check_schema(sys::Database& database) {
    auto found = schema_of(database);
    if (!found) return forward_error(found);
    auto expected = expected_schema();
    if (!expected) return forward_error(expected);
    if (*found != *expected) return damaged("the tables are not those that this program makes");
    return {};
}

}  // namespace

Result<LedgerTables> LedgerTables::open(const std::string& path, const std::string& vfs) {
    auto database = sys::Database::open(path, {.durability = sys::Durability::full, .exclusive = true, .vfs = vfs});
    if (!database) return forward_error(database);
    database->leave_log_on_close(true);  // what turns out to be damaged stays as it is found
    auto mark = Mark::open(mark_path(path), vfs);
    if (!mark) return forward_error(mark);
    auto schema = schema_of(*database);
    if (!schema) return forward_error(schema, path);
    if (schema->empty() && mark->position() > 0) return commits_missing(path);
    if (auto migrated = database->migrate(migrations()); !migrated) return forward_error(migrated, path);
    if (auto right = check_schema(*database); !right) return forward_error(right, path);
    if (auto intact = check_pages(*database); !intact) return forward_error(intact, path);
    LedgerTables tables(std::move(*database), std::move(*mark));
    if (auto replayed = tables.replay(); !replayed) return forward_error(replayed, path);
    if (tables.position_ < tables.mark_.position()) return commits_missing(path);
    if (auto intact = tables.check_rows(); !intact) return forward_error(intact, path);
    if (auto folded = tables.fold(); !folded) return forward_error(folded, path);
    if (auto synced = tables.mark_.sync(); !synced) return forward_error(synced);
    tables.database_.leave_log_on_close(false);
    return tables;
}

LedgerTables::LedgerTables(sys::Database database, Mark mark)
    : database_(std::move(database)),
      mark_(std::move(mark)),
      append_(database_.prepare("INSERT INTO journal VALUES(?,?)")),
      put_voucher_(database_.prepare("INSERT OR REPLACE INTO lane_vouchers VALUES(?,?,?,?,?)")),
      find_voucher_(database_.prepare("SELECT side, signer, provider, epoch, row FROM lane_vouchers"
                                      " WHERE side=? AND signer=? AND provider=? AND epoch=?")),
      find_newest_(database_.prepare("SELECT side, signer, provider, epoch, row FROM lane_vouchers"
                                     " WHERE side=? AND signer=? AND provider=? ORDER BY epoch DESC LIMIT 1")),
      list_vouchers_of_provider_(database_.prepare("SELECT side, signer, provider, epoch, row FROM lane_vouchers"
                                                   " WHERE side=0 AND provider=?")),
      list_vouchers_of_signer_(database_.prepare("SELECT side, signer, provider, epoch, row FROM lane_vouchers"
                                                 " WHERE side=1 AND signer=?")),
      put_session_(database_.prepare("INSERT OR REPLACE INTO session_records VALUES(?,?,?,?,?)")),
      find_session_(database_.prepare("SELECT id, signer, provider, started, row FROM session_records WHERE id=?")),
      list_sold_(database_.prepare("SELECT id, signer, provider, started, row FROM session_records"
                                   " WHERE provider=? ORDER BY started DESC, id LIMIT ?")),
      list_sessions_between_(database_.prepare("SELECT id, signer, provider, started, row FROM session_records"
                                               " WHERE signer=? AND provider=?")),
      list_oldest_sessions_(database_.prepare("SELECT id, signer, provider, started, row FROM session_records"
                                              " ORDER BY started, id LIMIT ?")),
      remove_session_(database_.prepare("DELETE FROM session_records WHERE id=?")),
      put_sum_(database_.prepare("INSERT OR REPLACE INTO lane_sums VALUES(?,?,?)")),
      find_sum_(database_.prepare("SELECT signer, provider, row FROM lane_sums WHERE signer=? AND provider=?")) {}

void LedgerTables::give_up(const Error& error) {
    if (!failure_) failure_ = error;
}

Result<> LedgerTables::append(JournalEntry entry) {
    if (failure_) return tl::unexpected<Error>(*failure_);
    auto allowed = may_write(entry.session);
    if (!allowed) return forward_error(allowed);
    if (!*allowed) return fail(ErrorCode::failed_precondition, "ledger: the session belongs to somebody else");
    if (entry.held) {
        auto higher = is_highest(*entry.held);
        if (!higher) return forward_error(higher);
        if (!*higher) entry.held.reset();
    }
    if (auto written = add_row(encode_entry(entry)); !written) return written;
    if (entry.held) {
        const auto& voucher = entry.held->voucher.voucher;
        newer_vouchers_.insert_or_assign(Lane(entry.held->signer, voucher.provider, voucher.epoch), *entry.held);
    }
    newer_sessions_.insert_or_assign(entry.session.id, std::move(entry.session));
    return {};
}

Result<> LedgerTables::add_row(const Bytes& row) {
    if (auto written = append_.with(position_ + 1, row).run(); !written) return written;
    ++position_;
    ++journal_size_;
    return {};
}

Result<> LedgerTables::commit(sys::Transaction& transaction) {
    if (auto done = transaction.commit(); !done) return done;
    failpoint("ledger: committed");
    return mark_.move_to(position_);
}

Result<bool> LedgerTables::may_write(const SessionRecord& session) {
    const auto known = newer_sessions_.find(session.id);
    if (known != newer_sessions_.end()) {
        return known->second.signer == session.signer && known->second.provider == session.provider;
    }
    auto stored = read_sessions(find_session_.with(session.id));
    if (!stored) return forward_error(stored);
    return stored->empty() ||
           (stored->front().signer == session.signer && stored->front().provider == session.provider);
}

Result<bool> LedgerTables::is_highest(const HeldVoucher& held) {
    const auto& voucher = held.voucher.voucher;
    const auto known = newer_vouchers_.find(Lane(held.signer, voucher.provider, voucher.epoch));
    if (known != newer_vouchers_.end()) return held.replaces(known->second);
    auto stored =
        read_vouchers(find_voucher_.with(static_cast<int>(Side::held), held.signer, voucher.provider, voucher.epoch));
    if (!stored) return forward_error(stored);
    return stored->empty() || held.replaces(stored->front());
}

Result<> LedgerTables::issue(const HeldVoucher& held) {
    if (failure_) return tl::unexpected<Error>(*failure_);
    const auto& voucher = held.voucher.voucher;
    auto known =
        read_vouchers(find_voucher_.with(static_cast<int>(Side::issued), held.signer, voucher.provider, voucher.epoch));
    if (!known) return forward_error(known);
    if (!known->empty() && !held.replaces(known->front())) {
        if (held.total() == known->front().total()) return {};
        return fail(ErrorCode::failed_precondition, "ledger: a higher total was already promised on this lane");
    }
    if (auto put = put_voucher(Side::issued, held); !put) return put;
    return add_row(encode_voucher(Side::issued, held));
}

Result<> LedgerTables::fold() {
    if (failure_) return tl::unexpected<Error>(*failure_);
    if (journal_size_ == 0) return {};
    if (auto written = write_tables(); !written) {
        give_up(written.error());
        return written;
    }
    newer_vouchers_.clear();
    newer_sessions_.clear();
    journal_size_ = 0;
    return {};
}

Result<> LedgerTables::write_tables() {
    auto transaction = sys::Transaction::begin(database_);
    if (!transaction) return forward_error(transaction);
    for (const auto& [lane, held] : newer_vouchers_) {
        if (auto put = put_voucher(Side::held, held); !put) return put;
    }
    if (auto summed = update_sums(); !summed) return summed;
    for (const auto& [id, session] : newer_sessions_) {
        if (auto put = put_session(session); !put) return put;
    }
    if (auto forgotten = forget_old_sessions(); !forgotten) return forgotten;
    if (auto emptied = database_.execute("DELETE FROM journal"); !emptied) return emptied;
    if (auto noted = add_row(encode_position(position_ + 1)); !noted) return noted;
    return commit(*transaction);
}

Result<> LedgerTables::put_voucher(Side side, const HeldVoucher& held) {
    const auto& voucher = held.voucher.voucher;
    return put_voucher_
        .with(static_cast<int>(side), held.signer, voucher.provider, voucher.epoch, encode_voucher(side, held))
        .run();
}

Result<> LedgerTables::put_session(const SessionRecord& session) {
    return put_session_
        .with(session.id, session.signer, session.provider, session.started.time_since_epoch().count(),
              encode_session(session))
        .run();
}

Result<> LedgerTables::put_sum(const LaneSum& sum) {
    return put_sum_.with(sum.signer, sum.provider, encode_sum(sum)).run();
}

Result<> LedgerTables::update_sums() {
    std::map<std::pair<Address, Address>, LaneSum> sums;
    for (const auto& [id, session] : newer_sessions_) {
        const std::pair lane(session.signer, session.provider);
        auto found = sums.find(lane);
        if (found == sums.end()) {
            auto sum = sum_of(session.signer, session.provider);
            if (!sum) return forward_error(sum);
            found = sums.emplace(lane, *sum).first;
        }
        auto before = read_sessions(find_session_.with(id));
        if (!before) return forward_error(before);
        if (before->empty()) ++session_count_;
        const auto old = before->empty() ? SessionRecord{} : before->front();
        auto& [signer, provider, cost, paid] = found->second;
        cost = cost.plus_saturating(session.cost).minus_saturating(old.cost);
        paid = paid.plus_saturating(session.paid).minus_saturating(old.paid);
    }
    for (const auto& [lane, sum] : sums) {
        if (auto put = put_sum(sum); !put) return put;
    }
    return {};
}

Result<> LedgerTables::forget_old_sessions() {
    if (session_count_ < kSessionHistory + kHistorySlack) return {};
    UnixTime now{};
    for (const auto& [id, session] : newer_sessions_) now = std::max({now, session.started, session.ended});
    auto oldest = read_sessions(list_oldest_sessions_.with(session_count_ - kSessionHistory));
    if (!oldest) return forward_error(oldest);
    for (const auto& session : *oldest) {
        if (session.ended == UnixTime{} || session.started + kReplayed >= now) continue;
        auto sum = sum_of(session.signer, session.provider);  // from the sessions, if there is no row yet
        if (!sum) return forward_error(sum);
        if (auto put = put_sum(*sum); !put) return put;
        if (auto removed = remove_session_.with(session.id).run(); !removed) return removed;
        --session_count_;
    }
    return {};
}

Result<> LedgerTables::replay() {
    auto query = database_.prepare("SELECT seq, row FROM journal ORDER BY seq");
    for (;;) {
        auto row = query.step();
        if (!row) return forward_error(row);
        if (!*row) return {};
        const auto number = query.integer(0);
        const auto content = query.blob(1);
        if (position_ == 0 && decode_position(content) == number) {
            position_ = number;
            continue;
        }
        if (number != ++position_) return damaged("a row of the journal is missing");
        ++journal_size_;
        if (decode_voucher(Side::issued, content)) continue;  // it is in its table
        auto entry = decode_entry(content);
        if (!entry) return forward_error(entry);
        if (entry->held) {
            const auto& voucher = entry->held->voucher.voucher;
            newer_vouchers_.insert_or_assign(Lane(entry->held->signer, voucher.provider, voucher.epoch), *entry->held);
        }
        newer_sessions_.insert_or_assign(entry->session.id, std::move(entry->session));
    }
}

Result<> LedgerTables::check_rows() {
    auto vouchers = database_.prepare("SELECT side, signer, provider, epoch, row FROM lane_vouchers");
    if (auto intact = read_vouchers(vouchers); !intact) return forward_error(intact);
    auto records = database_.prepare("SELECT id, signer, provider, started, row FROM session_records");
    auto sessions = read_sessions(records);
    if (!sessions) return forward_error(sessions);
    session_count_ = sessions->size();
    auto sums = database_.prepare("SELECT signer, provider, row FROM lane_sums");
    if (auto intact = read_sums(sums); !intact) return forward_error(intact);
    return {};
}

Result<std::optional<HeldVoucher>> LedgerTables::highest(Side side, const Address& signer, const Address& provider,
                                                         std::optional<std::uint32_t> epoch) {
    if (failure_) return tl::unexpected<Error>(*failure_);
    auto& query = epoch ? find_voucher_.with(static_cast<int>(side), signer, provider, *epoch)
                        : find_newest_.with(static_cast<int>(side), signer, provider);
    auto vouchers = read_vouchers(query);
    if (!vouchers) return forward_error(vouchers);
    std::optional<HeldVoucher> found;
    if (!vouchers->empty()) found = vouchers->front();
    const auto* newer = side == Side::held ? newer_voucher(signer, provider, epoch) : nullptr;
    if (newer && (!found || newer->voucher.voucher.epoch >= found->voucher.voucher.epoch)) found = *newer;
    return found;
}

const HeldVoucher* LedgerTables::newer_voucher(const Address& signer, const Address& provider,
                                               std::optional<std::uint32_t> epoch) const {
    const auto newest = std::numeric_limits<std::uint32_t>::max();
    auto found = newer_vouchers_.upper_bound(Lane(signer, provider, epoch.value_or(newest)));
    if (found == newer_vouchers_.begin()) return nullptr;
    const auto& [lane, held] = *--found;
    const auto& [of_signer, of_provider, of_epoch] = lane;
    if (of_signer != signer || of_provider != provider || (epoch && of_epoch != *epoch)) return nullptr;
    return &held;
}

Result<std::vector<HeldVoucher>> LedgerTables::all_held_by(const Address& provider) {
    if (auto folded = fold(); !folded) return forward_error(folded);
    return read_vouchers(list_vouchers_of_provider_.with(provider));
}

Result<std::vector<HeldVoucher>> LedgerTables::all_issued_by(const Address& signer) {
    if (auto folded = fold(); !folded) return forward_error(folded);
    return read_vouchers(list_vouchers_of_signer_.with(signer));
}

Result<std::vector<HeldVoucher>> LedgerTables::read_vouchers(sys::Statement& query) {
    std::vector<HeldVoucher> vouchers;
    for (;;) {
        auto row = query.step();
        if (!row) return forward_error(row);
        if (!*row) break;
        const auto side = query.integer(0) == 0 ? Side::held : Side::issued;
        auto held = decode_voucher(side, query.blob(4));
        if (!held) return forward_error(held);
        const auto& voucher = held->voucher.voucher;
        const bool found_by_its_key = same(query, 1, held->signer) && same(query, 2, voucher.provider) &&
                                      query.integer(3) == static_cast<std::int64_t>(voucher.epoch);
        if (!found_by_its_key) return damaged("a voucher's key is not the voucher's");
        vouchers.push_back(*held);
    }
    query.reset();
    return vouchers;
}

Result<std::vector<SessionRecord>> LedgerTables::read_sessions(sys::Statement& query) {
    return read_sessions(query, [](const SessionRecord&) { return true; });
}

template <class Wanted>
Result<std::vector<SessionRecord>> LedgerTables::read_sessions(sys::Statement& query, Wanted wanted) {
    std::vector<SessionRecord> sessions;
    for (;;) {
        auto row = query.step();
        if (!row) return forward_error(row);
        if (!*row) break;
        auto session = decode_session(query.blob(4));
        if (!session) return forward_error(session);
        const bool found_by_its_key =
            same(query, 0, session->id) && same(query, 1, session->signer) && same(query, 2, session->provider) &&
            query.integer(3) == static_cast<std::int64_t>(session->started.time_since_epoch().count());
        if (!found_by_its_key) return damaged("a session's key is not the session's");
        if (wanted(*session)) sessions.push_back(std::move(*session));
    }
    query.reset();
    return sessions;
}

Result<bool> LedgerTables::knows_session(const SessionId& id) {
    if (newer_sessions_.contains(id)) return true;
    if (failure_) return tl::unexpected<Error>(*failure_);
    auto found = read_sessions(find_session_.with(id));
    if (!found) return forward_error(found);
    return !found->empty();
}

Result<std::vector<LaneSum>> LedgerTables::read_sums(sys::Statement& query) {
    std::vector<LaneSum> sums;
    for (;;) {
        auto row = query.step();
        if (!row) return forward_error(row);
        if (!*row) break;
        auto sum = decode_sum(query.blob(2));
        if (!sum) return forward_error(sum);
        const bool found_by_its_key = same(query, 0, sum->signer) && same(query, 1, sum->provider);
        if (!found_by_its_key) return damaged("a sum's key is not the sum's");
        sums.push_back(*sum);
    }
    query.reset();
    return sums;
}

Result<LaneSum> LedgerTables::sum_of(const Address& signer, const Address& provider) {
    auto stored = read_sums(find_sum_.with(signer, provider));
    if (!stored) return forward_error(stored);
    if (!stored->empty()) return stored->front();
    auto sessions = read_sessions(list_sessions_between_.with(signer, provider));
    if (!sessions) return forward_error(sessions);
    LaneSum sum{signer, provider, {}, {}};
    for (const auto& session : *sessions) {
        sum.cost = sum.cost.plus_saturating(session.cost);
        sum.paid = sum.paid.plus_saturating(session.paid);
    }
    return sum;
}

Result<Amount> LedgerTables::unpaid(const Address& signer, const Address& provider) {
    if (auto folded = fold(); !folded) return forward_error(folded);
    auto sum = sum_of(signer, provider);
    if (!sum) return forward_error(sum);
    return sum->cost.minus_saturating(sum->paid);
}

Result<std::vector<SessionRecord>> LedgerTables::sold_sessions(const Address& provider, std::size_t limit) {
    if (auto folded = fold(); !folded) return forward_error(folded);
    return read_sessions(list_sold_.with(provider, limit));
}

Result<std::vector<SessionRecord>> LedgerTables::open_sessions(const Address& provider) {
    if (auto folded = fold(); !folded) return forward_error(folded);
    constexpr std::int64_t kAll = -1;
    return read_sessions(list_sold_.with(provider, kAll),
                         [](const SessionRecord& session) { return session.ended == UnixTime{}; });
}

}  // namespace myst::ledger
