// Sends a peer what is new here, if the peer does not show it by itself.
#pragma once

#include <deque>

#include "myst/db/relay_client.hpp"
#include "myst/runtime/event_signal.hpp"
#include "myst/runtime/task_group.hpp"

namespace myst::db {

/// One peer. Between two nodes of which only one has the other as its peer, records would flow one way only. So what
/// is new here waits a little, and goes to the peer unless our subscription there has shown it by then: in a network
/// with many ways that is hardly ever so. Control thread. The peer must outlive it.
class Forwarder {
public:
    struct Settings {
        milliseconds delay{200};          ///< for the peer to show a record
        std::size_t max_waiting = 1'024;  ///< beyond it records are left to reconciliation
        std::size_t max_under_way = 32;   ///< without the peer's answer
    };
    Forwarder(asio::any_io_executor executor, RelayClient& peer, Settings settings)
        : executor_(executor), peer_(peer), settings_(settings), added_(executor) {}

    /// A record that is new here, wherever it came from.
    void add(const SharedRecord& record);
    /// Sends until cancelled.
    [[nodiscard]] Task<> run();

private:
    [[nodiscard]] std::vector<SharedRecord> take_due();
    [[nodiscard]] Task<> send_one(SharedRecord record);

    struct Waiting {
        MonotonicTime due;
        SharedRecord record;
    };
    asio::any_io_executor executor_;
    RelayClient& peer_;
    const Settings settings_;
    EventSignal added_;
    std::deque<Waiting> waiting_;
};

}  // namespace myst::db
