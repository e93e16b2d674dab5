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

/// The part of a record table that deletion requests fill. One thread at a time, in the table's transactions.
class DeletionTable {
public:
    /// `database` must have `records` and `kDeletionSchema`, and outlive this.
    explicit DeletionTable(sys::Database& database);

    /// Whether a request that was enacted deletes this record. Never a deletion request nor a revocation.
    [[nodiscard]] Result<bool> covers(const codec::Event& event);
    /// Remembers a request. Returns which rows of `records` it deletes; the caller removes them.
    [[nodiscard]] Result<std::vector<std::int64_t>> enact(const codec::Event& request);

private:
    [[nodiscard]] Result<bool> covered(const NodeKey& author, BytesView target, UnixTime created_at);
    [[nodiscard]] Result<> remember(const NodeKey& author, BytesView target, UnixTime until);
    [[nodiscard]] Result<> enact_id(const codec::Event& request, const Hash32& id, std::vector<std::int64_t>& rows);
    [[nodiscard]] Result<> enact_address(const codec::Event& request, const RecordAddress& address,
                                         std::vector<std::int64_t>& rows);

    sys::Statement find_;
    sys::Statement remember_;
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

}  // namespace myst::db
