// Deletion requests (NIP-09): what a request asks for, and the memory of it that keeps deleted records away.
#pragma once

#include <vector>

#include "myst/db/record.hpp"
#include "myst/sys/sqlite.hpp"

namespace myst::db {

/// What a deletion request names: records by id, whoever wrote them, and addresses of its author. Tags that are
/// malformed, or name an address of somebody else or of a revocation, are left out.
struct DeletionTargets {
    std::vector<Hash32> ids;
    std::vector<RecordAddress> addresses;
    [[nodiscard]] bool empty() const { return ids.empty() && addresses.empty(); }
};
[[nodiscard]] DeletionTargets deletion_targets(const codec::Event& request);
/// When nothing that the request names can be valid any more, so that it need not be kept: as long after created_at as
/// records of the kinds that its `a` and `k` tags tell of live at most, or the longest life of all. Kept it is for
/// that long by everybody, so that nobody gets it back from somebody else.
[[nodiscard]] UnixTime deletion_end(const codec::Event& request);

/// The part of a record table that deletion requests fill. One thread at a time, in the table's transactions.
class DeletionTable {
public:
    /// `database` must have `records` and `kDeletionSchema`, and outlive this.
    explicit DeletionTable(sys::Database& database);

    /// Whether a request that was enacted deletes this record. Never a deletion request nor a revocation.
    [[nodiscard]] Result<bool> covers(const codec::Event& event);
    /// Remembers a request. Returns which rows of `records` it deletes; the caller removes them.
    [[nodiscard]] Result<std::vector<std::int64_t>> enact(const codec::Event& request);
    /// Forgets requests that have ended.
    [[nodiscard]] Result<> forget(UnixTime now);

private:
    [[nodiscard]] Result<bool> covered(const NodeKey& author, BytesView target, UnixTime created_at);
    [[nodiscard]] Result<> remember(const codec::Event& request, BytesView target, UnixTime until);
    [[nodiscard]] Result<> enact_id(const codec::Event& request, const Hash32& id, std::vector<std::int64_t>& rows);
    [[nodiscard]] Result<> enact_address(const codec::Event& request, const RecordAddress& address,
                                         std::vector<std::int64_t>& rows);

    sys::Statement find_;
    sys::Statement remember_;
    sys::Statement forget_;
    sys::Statement find_id_;
    sys::Statement find_address_;
};

/// The table's part of the schema. `until`: the newest created_at that is deleted, of versions of an address.
inline constexpr const char* kDeletionSchema = R"(
CREATE TABLE deletions(
    author BLOB NOT NULL,
    target BLOB NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY(author, target)) WITHOUT ROWID;)";
/// The next version of it. `ends`: when the last request for the target ends. Requests and relay lists of before get
/// the longest life, a year and a quarter of an hour.
inline constexpr const char* kDeletionEndSchema = R"(
ALTER TABLE deletions ADD COLUMN ends INTEGER NOT NULL DEFAULT 0;
UPDATE deletions SET ends=CAST(strftime('%s','now') AS INTEGER)+31536900;
CREATE INDEX deletions_by_end ON deletions(ends);
UPDATE records SET expires_at=created_at+31536900 WHERE kind IN (5,10002) AND expires_at IS NULL;
UPDATE record_tags SET expires_at=created_at+31536900 WHERE kind IN (5,10002) AND expires_at IS NULL;)";

}  // namespace myst::db
