// The heart of a full node's database: every record, whether from the own node, a relay connection or a peer, passes
// through here into the store and on to everyone who follows it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "myst/base/clock.hpp"
#include "myst/db/admission.hpp"
#include "myst/db/author_standing.hpp"
#include "myst/db/record_store.hpp"
#include "myst/ports/provider_registry.hpp"
#include "myst/ports/record_network.hpp"

namespace myst::db {

/// What became of a submitted record.
struct Receipt {
    bool accepted = false;      ///< as the OK message of NIP-01 means it; true for duplicates, too
    bool fresh = false;         ///< not seen before, and handed to subscribers
    bool later = false;         ///< refused for now: there may be room another time
    std::size_t delivered = 0;  ///< subscribers that got it
    std::size_t compared = 0;   ///< filters it was compared with
    std::string message;        ///< empty, or with a machine-readable prefix: "blocked: …"
};

/// Admission, deduplication, storage, fan-out. Control thread.
class RecordHub {
public:
    using Callback = std::function<void(const SharedRecord&)>;

    /// `store`, `clock` and `registry` must outlive the hub. `registry` may be null: then nobody is registered.
    RecordHub(RecordStore& store, const Clock& clock, AdmissionPolicy policy,
              ports::ProviderRegistry* registry = nullptr);
    ~RecordHub();
    RecordHub(const RecordHub&) = delete;
    RecordHub& operator=(const RecordHub&) = delete;

    /// Takes a record in. Subscribers have been called when this returns. A record that was seen before reaches nobody
    /// a second time, so copies from several peers end here.
    [[nodiscard]] Task<Receipt> submit(SharedRecord record);
    /// Whether `submit` has taken this record in, not too long ago.
    [[nodiscard]] bool knows(const Hash32& id) const;
    /// Calls back for every fresh record that matches any filter, until the handle is destroyed. The callback must not
    /// block; it may destroy this or any other subscription. A filter sees ephemeral records only if it names their
    /// recipients (#p): nobody is shown the envelopes of others by asking for all.
    [[nodiscard]] std::unique_ptr<ports::Subscription> follow(std::vector<codec::Filter> filters, Callback callback);
    /// Stored records; see RecordStore::query.
    [[nodiscard]] Task<Result<std::vector<SharedRecord>>> query(std::vector<codec::Filter> filters, QueryLimits limits);
    /// What set reconciliation compares of stored records; see RecordStore::items.
    [[nodiscard]] Task<Result<std::vector<SyncItem>>> items(codec::Filter filter, std::size_t limit);
    /// Ids of stored records, and the records by their ids; see RecordStore::find and load.
    [[nodiscard]] Task<Result<std::vector<Hash32>>> find(std::vector<codec::Filter> filters, std::size_t limit);
    [[nodiscard]] Task<Result<RecordPage>> load(std::vector<Hash32> ids, std::size_t max_bytes);
    /// Deletes expired records from the store.
    [[nodiscard]] Task<Result<std::size_t>> purge();

    [[nodiscard]] const AdmissionPolicy& policy() const;
    /// Whom the chain knows.
    [[nodiscard]] AuthorStanding& authors();
    [[nodiscard]] std::size_t followers() const;

private:
    struct State;
    /// Stores a record that has passed admission. None: it is stored. Else the answer.
    [[nodiscard]] Task<std::optional<Receipt>> keep(SharedRecord record);
    void deliver(const SharedRecord& record, Receipt& receipt);
    std::shared_ptr<State> state_;
};

}  // namespace myst::db
