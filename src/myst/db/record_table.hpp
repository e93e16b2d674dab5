// Records in SQLite: the synchronous half of SqliteRecordStore. One thread at a time.
#pragma once

#include <list>
#include <string>
#include <unordered_map>
#include <vector>

#include "myst/db/record_deletion.hpp"
#include "myst/db/record_query.hpp"
#include "myst/db/record_store.hpp"
#include "myst/db/tag_estimates.hpp"
#include "myst/sys/sqlite.hpp"

namespace myst::db {

/// How much of the store one author may use.
struct AuthorShare {
    std::size_t records = 0;
    std::size_t names = 0;             ///< records of one addressable kind: `d` tags of its proposals
    std::size_t deletions = 0;         ///< deletion requests, which do not count as records
    std::size_t deletions_in_all = 0;  ///< where all authors together have so many, his are not taken
};

/// How much the store takes.
struct StoreLimits {
    std::size_t records = 500'000;  ///< in all
    std::size_t records_per_author = 1'000;
    std::size_t names_per_author = 4;  ///< records of one addressable kind: `d` tags of its proposals
    std::size_t deletions = 50'000;    ///< deletion requests in all
    std::size_t deletions_per_author = 100;
    std::uint64_t search_steps = 10'000'000;       ///< of SQLite's machine, for one request: about 0.2 s
    std::uint64_t comparison_steps = 100'000'000;  ///< to read a set that is compared
    AuthorShare stranger{8, 2, 4, 25'000};         ///< of an author who is not registered
    [[nodiscard]] AuthorShare share_of(Standing author) const {
        if (author == Standing::stranger) return stranger;
        return {records_per_author, names_per_author, deletions_per_author, deletions};
    }
};

/// How long the version number of a record outlives its expiry. A proposal lives at most 24 hours from its creation
/// (admission.hpp; clocks may differ by a quarter of an hour), so nobody can bring back a version that its author
/// replaced.
inline constexpr seconds kVersionMemory{24 * 3600 + 15 * 60};

class RecordTable {
public:
    /// Opens or creates the tables in `path` (":memory:" for a private database).
    [[nodiscard]] static Result<RecordTable> open(const std::string& path, StoreLimits limits);

    /// Several records in one transaction. The outer error means that none was stored. `authors` tells of whom each is;
    /// of those that it does not tell of, the authors are registered.
    [[nodiscard]] Result<std::vector<Result<PutOutcome>>> put(const std::vector<SharedRecord>& records, UnixTime now,
                                                              const std::vector<Standing>& authors = {});
    /// As RecordStore::query.
    [[nodiscard]] Result<std::vector<SharedRecord>> query(const std::vector<codec::Filter>& filters,
                                                          const QueryLimits& limits, UnixTime now);
    /// As RecordStore::find.
    [[nodiscard]] Result<std::vector<Hash32>> find(const std::vector<codec::Filter>& filters, std::size_t limit,
                                                   UnixTime now);
    /// As RecordStore::items.
    [[nodiscard]] Result<std::vector<SyncItem>> items(const codec::Filter& filter, std::size_t limit, UnixTime now);
    /// As RecordStore::load.
    [[nodiscard]] Result<RecordPage> load(const std::vector<Hash32>& ids, std::size_t max_bytes);
    /// As RecordStore::purge.
    [[nodiscard]] Result<std::size_t> purge(UnixTime now);

private:
    RecordTable(sys::Database database, StoreLimits limits);
    [[nodiscard]] Result<PutOutcome> put_one(const Record& record, UnixTime now, const AuthorShare& share);
    [[nodiscard]] Result<PutOutcome> replace(const Record& record, const RecordAddress& address, UnixTime now,
                                             const AuthorShare& share);
    [[nodiscard]] Result<PutOutcome> put_deletion(const Record& record, UnixTime now, const AuthorShare& share);
    [[nodiscard]] Result<> make_room(const Record& record, const RecordAddress* address, UnixTime now,
                                     const AuthorShare& share);
    [[nodiscard]] Result<> make_room_in_all(UnixTime now);
    /// The number that a `SELECT count(*)` gives.
    [[nodiscard]] static Result<std::size_t> count_of(sys::Statement& statement);
    /// Deletes the record that expired first among those that the statement selects; whether there was one.
    [[nodiscard]] Result<bool> drop_expired(sys::Statement& oldest);
    /// Whether a revocation of this key is here.
    [[nodiscard]] Result<bool> is_revoked(const NodeKey& author);
    /// The first revocation of a key: stored in the place of the author's other records, or refused without any change.
    [[nodiscard]] Result<PutOutcome> put_first_revocation(const Record& record, UnixTime now, const AuthorShare& share);
    /// Deletes all records of this author but its revocation.
    [[nodiscard]] Result<> remove_revoked(const NodeKey& author);
    [[nodiscard]] Result<> insert(const Record& record, const RecordAddress* address);
    [[nodiscard]] Result<> insert_tags(const codec::Event& event);
    /// Deletes a record and its tags.
    [[nodiscard]] Result<> remove(std::int64_t seq);
    /// What decides the order of answers.
    struct Found {
        Hash32 id;
        UnixTime created_at;
    };
    /// In the order of answers, each once, at most `limit`.
    static void arrange(std::vector<Found>& found, std::size_t limit);
    [[nodiscard]] Result<std::vector<Found>> find_one(const codec::Filter& filter, std::size_t limit, UnixTime now);
    [[nodiscard]] Result<> run_query(const SqlQuery& query, std::vector<Found>& found);
    [[nodiscard]] sys::Statement& prepared(const std::string& sql);

    sys::Database database_;
    StoreLimits limits_;
    std::size_t stored_ = 0;  ///< rows in `records`
    sys::Statement find_id_;
    sys::Statement find_address_;
    sys::Statement find_revocation_;
    sys::Statement load_;
    sys::Statement count_author_;
    sys::Statement count_names_;
    sys::Statement count_kind_;
    sys::Statement expired_;
    sys::Statement expired_of_author_;
    sys::Statement expired_of_kind_;
    sys::Statement insert_;
    sys::Statement insert_tag_;
    sys::Statement find_json_;
    sys::Statement delete_tag_;
    sys::Statement delete_;
    DeletionTable deletions_;
    TagEstimates estimates_;
    std::unordered_map<std::string, sys::Statement> queries_;  ///< by SQL text; emptied when it grows too large
};

}  // namespace myst::db
