// Brings the own records and those of a peer together by set reconciliation (docs/records.md).
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "myst/db/asked_ids.hpp"
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
        milliseconds settle{3'000};         ///< from `soon` to the comparison
        std::size_t max_turned_away = 256;  ///< records that the receiving side has no room for, until a run ends
    };
    /// `asked` is shared by all replications of a node.
    Replication(asio::any_io_executor executor, RecordHub& hub, WorkerPool& workers, RelayClient& peer, AskedIds& asked,
                Settings settings);

    /// Compares after every connection, when asked to, and once an interval, until cancelled.
    [[nodiscard]] Task<> run();
    /// A connection to the peer has been made.
    void connected() {
        fresh_ = true;
        wake_.notify();
    }
    /// Much may be new here: asks for a comparison in a little while.
    void soon() { wake_.notify(); }
    /// Called after a run in which records that the peer had before have come here. Set before `run`.
    std::function<void()> on_taken;
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
    /// What became of a list of records.
    struct Moved {
        std::size_t fresh = 0;        ///< new to the receiving side, from the other
        std::size_t other = 0;        ///< came there another way meanwhile
        std::size_t turned_away = 0;  ///< not taken, for now
        [[nodiscard]] std::size_t sum() const { return fresh + other; }
    };
    /// Takes records from the peer.
    [[nodiscard]] Task<Moved> fetch(std::vector<Hash32> need);
    /// The next ids to ask for, taken out of `need`; those that came here meanwhile are dropped from it. Those that
    /// another peer has been asked for are left in it, unless `impatient`.
    [[nodiscard]] std::vector<Hash32> next_page(std::vector<Hash32>& need, bool impatient, Moved& moved) const;
    [[nodiscard]] Task<Moved> fetch_page(std::vector<Hash32> ids);
    /// Together, so that they share transactions of the store.
    [[nodiscard]] Task<Moved> take(std::vector<SharedRecord> records);
    [[nodiscard]] Task<> take_one(SharedRecord record, Moved* moved);
    /// Publishes records to the peer.
    [[nodiscard]] Task<Moved> offer(std::vector<Hash32> have);
    struct Offered {
        Moved moved{};
        bool failed = false;  ///< the peer does not answer
    };
    [[nodiscard]] Task<> offer_one(SharedRecord record, Offered* offered);
    [[nodiscard]] bool enough(const Moved& moved) const { return moved.turned_away >= settings_.max_turned_away; }
    [[nodiscard]] Task<> fall_back();

    asio::any_io_executor executor_;
    RecordHub& hub_;
    WorkerPool& workers_;
    RelayClient& peer_;
    AskedIds& asked_;
    const Settings settings_;
    EventSignal wake_;
    bool fresh_ = false;  ///< the connection has not been used for a comparison yet
    std::optional<std::size_t> in_common_;
    SeenIds refused_;  ///< what one of the two did not take, or the peer did not have after all
    /// Where a run ended for lack of room, and the next goes on. Nothing: at the front, the newest records.
    std::optional<SyncItem> offered_last_;
    std::optional<Hash32> fetched_last_;  ///< the same; records are asked for in the order of ids
};

}  // namespace myst::db
