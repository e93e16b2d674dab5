// Puts together the record database as the configuration wants it: a full node with an embedded relay, or a light
// client of remote relays.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "myst/app/config.hpp"
#include "myst/base/rng.hpp"
#include "myst/db/full_network.hpp"
#include "myst/db/light_network.hpp"
#include "myst/db/node_announcer.hpp"
#include "myst/db/relay_server.hpp"
#include "myst/db/sqlite_record_store.hpp"

namespace myst::app {

/// Where the node listens for envelopes and strangers can send some, as it stands in a proposal: the own relay, if
/// db.public_url tells everybody where it is, and those of the configured relays that have a public address or name; as
/// many as a proposal may name. Private addresses are of no use to strangers and say how the operator's network is
/// built; in a test network (db.private_peers) they count.
[[nodiscard]] std::vector<std::string> relays_to_announce(const DbConfig& config);

/// Who this node is, as far as the database is concerned.
struct DatabaseOwner {
    const crypto::PrivateKey& node_key;           ///< must outlive the database
    std::string version;                          ///< of the program
    ports::ProviderRegistry* registry = nullptr;  ///< whom the chain knows; null: nobody can tell. Must outlive it
    std::shared_ptr<const ports::MailboxKeys> mailboxes{};  ///< the keys whose mailboxes the node reads at its peers
};

/// How many peers a full node finds by itself.
[[nodiscard]] std::size_t peers_to_find(const DbConfig& config);
/// What the node publishes of itself; none without db.public_url.
[[nodiscard]] std::optional<db::NodeRecord> own_node_record(const Config& config, std::string version);

/// Control thread.
class RecordDatabase {
public:
    /// Opens the store and binds the relay's port, if there is one.
    [[nodiscard]] static Result<std::unique_ptr<RecordDatabase>> open(const Config& config,
                                                                      asio::any_io_executor executor,
                                                                      const Clock& clock, Rng& rng, WorkerPool& workers,
                                                                      DatabaseOwner owner);
    void start(TaskGroup& tasks);
    [[nodiscard]] ports::RecordNetwork& network();

private:
    RecordDatabase() = default;
    [[nodiscard]] Result<> open_full(const Config& config, asio::any_io_executor executor, const Clock& clock, Rng& rng,
                                     WorkerPool& workers, db::RelaySet::Settings peers, DatabaseOwner owner);
    [[nodiscard]] Result<> open_relay(const Config& config, asio::any_io_executor executor, const Clock& clock,
                                      WorkerPool& workers, ports::ProviderRegistry* registry,
                                      std::shared_ptr<db::SelfCheck> self_check);

    std::unique_ptr<db::SqliteRecordStore> store_;
    std::unique_ptr<db::RecordHub> hub_;
    std::unique_ptr<db::RelayServer> server_;
    std::unique_ptr<db::FullNetwork> full_;
    std::unique_ptr<db::NodeAnnouncer> announcer_;
    std::unique_ptr<db::LightNetwork> light_;
};

}  // namespace myst::app
