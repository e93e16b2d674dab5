// The database as a full node sees it: its own store, the followers of its embedded relay, and its peers.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "myst/db/envelope_carrier.hpp"
#include "myst/db/forwarder.hpp"
#include "myst/db/peer_keeper.hpp"
#include "myst/db/record_hub.hpp"
#include "myst/db/relay_set.hpp"
#include "myst/db/replication.hpp"

namespace myst::db {

/// For peers of a full node: a dead connection is noticed after 10 s of silence, and a peer that comes back is found
/// within 5 s, so that the two sides of a broken network come together soon after it is whole again. Costs a ping each
/// 5 s of silence, which a phone would not want to pay.
[[nodiscard]] RelaySet::Settings watchful(RelaySet::Settings peers);

/// Control thread. Everything given by reference must outlive the network.
///
/// Replication: the node subscribes at every peer for new records of the replicated kinds, compares its own set of them
/// with the peer's after every connection and from time to time, and takes in what passes admission. What it takes in
/// reaches the followers of its own relay and, if they do not have it yet, its peers, and so spreads; the hub drops
/// what it has seen, which ends every circle.
class FullNetwork final : public ports::RecordNetwork {
public:
    struct Settings {
        RelaySet::Settings peers{};    ///< the configured ones; they are kept whatever happens
        PeerKeeper::Settings found{};  ///< those that the node finds by itself
        EnvelopeCarrier::Settings envelopes{};
        std::vector<std::uint32_t> replicated{codec::kReplicatedKinds.begin(), codec::kReplicatedKinds.end()};
        milliseconds reconcile_interval{5 * 60'000};
        milliseconds purge_interval{60'000};
        std::size_t max_waiting_records = 16'384;          ///< from peers, not yet stored; beyond it they are dropped
        std::size_t max_waiting_bytes = 16 * 1024 * 1024;  ///< the same, in bytes of JSON
    };
    FullNetwork(asio::any_io_executor executor, RecordHub& hub, const Clock& clock, Rng& rng, WorkerPool& workers,
                Settings settings);
    ~FullNetwork() override;

    /// Keeps the connections and deletes expired records until cancelled.
    [[nodiscard]] Task<> run();

    /// A record of a kind that is not stored counts as taken locally only if somebody follows it here.
    [[nodiscard]] Task<Result<ports::PublishReport>> publish(codec::Event event) override;
    [[nodiscard]] Task<Result<std::vector<codec::Event>>> query(std::vector<codec::Filter> filters,
                                                                std::size_t limit) override;
    [[nodiscard]] std::unique_ptr<ports::Subscription> subscribe(std::vector<codec::Filter> filters,
                                                                 Callback callback) override;
    [[nodiscard]] Task<Result<>> exchange(ports::EnvelopeExchange exchange) override;
    [[nodiscard]] std::vector<ports::RelayStatus> relays() const override;

private:
    struct Local;
    class Handle;
    /// What runs beside the connection to one peer.
    struct Exchange {
        Replication replication;
        Forwarder forwarder;
    };
    /// Hands what is new here to the forwarders.
    void follow_new_records();
    [[nodiscard]] Task<> purge_loop();
    Exchange& add_exchange(RelayClient& peer);
    /// Talks to a found peer until the connection is over.
    [[nodiscard]] Task<RelayEnd> visit(RelayUrl url, asio::ip::address address);
    void on_connected(const RelayClient& peer);
    [[nodiscard]] Task<> catch_up(std::shared_ptr<Local> local);
    /// Queues a verified record of a peer for the hub.
    void ingest(const SharedRecord& record);
    [[nodiscard]] Task<> drain();

    asio::any_io_executor executor_;
    RecordHub& hub_;
    WorkerPool& workers_;
    const Settings settings_;
    EnvelopeCarrier carrier_;
    RelaySet peers_;
    PeerKeeper keeper_;
    AskedIds asked_;
    std::deque<SharedRecord> waiting_;
    std::size_t waiting_bytes_ = 0;
    std::size_t drainers_ = 0;
    std::uint64_t dropped_ = 0;
    std::unique_ptr<ports::Subscription> following_;
    std::map<const RelayClient*, std::unique_ptr<Exchange>> exchanges_;
    std::unique_ptr<ports::Subscription> forwarding_;
    TaskGroup tasks_;  ///< last member: its tasks use the others
};

}  // namespace myst::db
