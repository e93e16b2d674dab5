// The relay's side of set reconciliation (NIP-77).
#pragma once

#include <map>
#include <memory>
#include <string>

#include "myst/db/negentropy.hpp"
#include "myst/db/record_hub.hpp"
#include "myst/db/relay_info.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst::db {

/// How many items the reconciliations of a relay may hold, and do. Control thread.
struct SyncBudget {
    std::size_t limit = 0;
    std::size_t used = 0;
};

/// The reconciliations that one client has open. Control thread; sets are built and compared on the worker pool.
/// Everything given by reference must outlive it.
class RelaySync {
public:
    RelaySync(RecordHub& hub, WorkerPool& workers, const Clock& clock, const RelayLimits& limits, SyncBudget& budget)
        : hub_(hub), workers_(workers), clock_(clock), limits_(limits), budget_(budget) {}

    /// A message for the client, and how many items were looked at for it.
    struct Reply {
        std::string text;
        std::size_t items = 0;
    };
    [[nodiscard]] Task<Reply> open(NegOpenMessage message);
    [[nodiscard]] Task<Reply> go_on(NegMessage message);
    void close(const std::string& name) { open_.erase(name); }
    void clear() { open_.clear(); }
    /// Ends those that were left alone for too long; returns what to tell the client.
    [[nodiscard]] std::vector<std::string> drop_idle();

private:
    /// Holds its items in the budget for as long as it lives.
    struct Held {
        Held(SyncBudget& in, std::size_t count) : budget(in), items(count) { budget.used += items; }
        ~Held() { budget.used -= items; }
        Held(const Held&) = delete;
        Held& operator=(const Held&) = delete;
        SyncBudget& budget;
        const std::size_t items;
        std::shared_ptr<const SyncSet> set;
        MonotonicTime last_used{};
    };
    using Answer = tl::expected<Bytes, SyncError>;
    [[nodiscard]] Reply reply(const std::string& name, const Answer& answer, std::size_t items);

    RecordHub& hub_;
    WorkerPool& workers_;
    const Clock& clock_;
    const RelayLimits& limits_;
    SyncBudget& budget_;
    std::map<std::string, std::shared_ptr<Held>> open_;
};

}  // namespace myst::db
