// Where a full node keeps records. The relay, the replication and the node's own queries know only this interface.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "myst/codec/filter.hpp"
#include "myst/db/negentropy.hpp"
#include "myst/db/record.hpp"
#include "myst/runtime/task.hpp"

namespace myst::db {

/// What became of a record that was put.
enum class PutOutcome {
    stored,     ///< new, and readable from now on
    duplicate,  ///< this very record is stored already
    older,      ///< a newer version of the same address is stored, or was until it expired
    deleted,    ///< its author has asked that it be deleted
    expired,    ///< its expiry has passed
    ephemeral,  ///< of a kind that is never stored
    revoked,    ///< its author has revoked the key
};
[[nodiscard]] std::string_view to_string(PutOutcome outcome);

/// How much of the store an author may use.
enum class Standing {
    registered,  ///< the full share: on chain there is a stake for his key
    stranger,    ///< the small one
};

/// Bounds of one query's answer, whatever the filters ask for.
struct QueryLimits {
    std::size_t records = 500;
    std::size_t bytes = 4 * 1024 * 1024;  ///< of JSON; the answer ends early, newest records first
};

/// Some of the records that were asked for, as JSON.
struct RecordPage {
    std::vector<std::string> texts;
    std::size_t taken = 0;  ///< ids from the front of the list that this page answers; some may be gone meanwhile
};

/// Control thread; the work happens elsewhere. Time is a parameter, so that a store needs no clock.
class RecordStore {
public:
    virtual ~RecordStore() = default;

    /// Keeps a record by the rules of its kind (NIP-01) and its expiry (NIP-40). Success means that the next `query`
    /// sees it. A revocation takes all other records of its author with it. limit_exceeded if the store or the author's
    /// share of it is full.
    [[nodiscard]] virtual Task<Result<PutOutcome>> put(SharedRecord record, UnixTime now,
                                                       Standing author = Standing::registered) = 0;
    /// Records that match any filter and have not expired, newest first, then lowest id; each once. A filter's own
    /// limit counts for that filter. limit_exceeded if the filters hold too many values.
    [[nodiscard]] virtual Task<Result<std::vector<SharedRecord>>> query(std::vector<codec::Filter> filters,
                                                                        QueryLimits limits, UnixTime now) = 0;
    /// The ids of what `query` would return, at most `limit`. For answers that are read slowly: the records are then
    /// fetched page by page with `load`, and memory holds one page only.
    [[nodiscard]] virtual Task<Result<std::vector<Hash32>>> find(std::vector<codec::Filter> filters, std::size_t limit,
                                                                 UnixTime now) = 0;
    /// What set reconciliation compares of the records that match, at most `limit`; without an order.
    [[nodiscard]] virtual Task<Result<std::vector<SyncItem>>> items(codec::Filter filter, std::size_t limit,
                                                                    UnixTime now) = 0;
    /// Records in the order of `ids`, until their JSON reaches `max_bytes`; at least one if any exists.
    [[nodiscard]] virtual Task<Result<RecordPage>> load(std::vector<Hash32> ids, std::size_t max_bytes) = 0;
    /// Deletes what has expired; returns how many records went. Expired records are invisible before that, too.
    [[nodiscard]] virtual Task<Result<std::size_t>> purge(UnixTime now) = 0;
};

}  // namespace myst::db
