// Brings the own records and those of a peer together by set reconciliation (docs/records.md).
#pragma once

#include <optional>
#include <vector>

#include "myst/db/record_hub.hpp"
#include "myst/db/relay_client.hpp"
#include "myst/db/seen_ids.hpp"
#include "myst/runtime/event_signal.hpp"
#include "myst/runtime/task_group.hpp"

namespace myst::db {

/// One peer, over and over. Control thread. Everything given by reference must outlive it.
class Replication {
public:
    struct Settings {
        std::vector<std::uint32_t> kinds;
        milliseconds interval{5 * 60'000};  ///< between two comparisons of one connection
        std::size_t max_items = 500'000;    ///< own records in one comparison; with more there is none
        std::size_t max_offered = 2'000;    ///< records published to the peer in one run
        std::size_t max_fallback = 500;     ///< newest records fetched from a peer that cannot compare
    };
    Replication(asio::any_io_executor executor, RecordHub& hub, WorkerPool& workers, RelayClient& peer,
                Settings settings);

    /// Compares after every connection and once an interval, until cancelled.
    [[nodiscard]] Task<> run();
    /// A connection to the peer has been made.
    void connected() { connected_.notify(); }
    [[nodiscard]] const RelayClient& peer() const { return peer_; }
    /// Records that both had after the last run that compared everything.
    [[nodiscard]] std::optional<std::size_t> in_common() const { return in_common_; }

private:
    /// What one comparison brought.
    struct Difference {
        std::vector<Hash32> have;
        std::vector<Hash32> need;
        std::size_t own = 0;        ///< own records that were compared
        std::size_t only_here = 0;  ///< those of them that the peer lacks, refused ones included
        bool whole = false;         ///< nothing else differs
    };
    [[nodiscard]] Task<> bring_together(bool fresh);
    /// One run; whether another one should follow at once.
    [[nodiscard]] Task<Result<bool>> run_once();
    [[nodiscard]] Task<Result<Difference>> compare();
    /// The messages of a comparison, from the first answer on.
    [[nodiscard]] Task<Difference> converse(std::string name, std::shared_ptr<const SyncSet> set, Bytes answer);
    void learn(Difference& difference, const SyncStep& step);
    /// Takes records from the peer; returns how many are new here.
    [[nodiscard]] Task<std::size_t> fetch(std::vector<Hash32> need);
    [[nodiscard]] Task<std::size_t> fetch_page(std::vector<Hash32> ids);
    /// Together, so that they share transactions of the store.
    [[nodiscard]] Task<std::size_t> take(std::vector<SharedRecord> records);
    [[nodiscard]] Task<> take_one(SharedRecord record, std::size_t* fresh);
    /// Publishes records to the peer; returns how many it took.
    [[nodiscard]] Task<std::size_t> offer(std::vector<Hash32> have);
    struct Offered {
        std::size_t taken = 0;
        bool failed = false;  ///< the peer does not answer
    };
    [[nodiscard]] Task<> offer_one(SharedRecord record, Offered* offered);
    [[nodiscard]] Task<> fall_back();

    asio::any_io_executor executor_;
    RecordHub& hub_;
    WorkerPool& workers_;
    RelayClient& peer_;
    const Settings settings_;
    EventSignal connected_;
    std::optional<std::size_t> in_common_;
    SeenIds refused_;  ///< what one of the two did not take, or the peer did not have after all
};

}  // namespace myst::db
