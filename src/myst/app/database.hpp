// Puts together the record database as the configuration wants it: a full node with an embedded relay, or a light
// client of remote relays.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "myst/app/config.hpp"
#include "myst/base/rng.hpp"
#include "myst/db/full_network.hpp"
#include "myst/db/light_network.hpp"
#include "myst/db/relay_server.hpp"
#include "myst/db/sqlite_record_store.hpp"

namespace myst::app {

/// Those of the configured relays that may stand in a proposal: hosts with a public address or a public name. Private
/// addresses are of no use to strangers and say how the operator's network is built.
[[nodiscard]] std::vector<std::string> relays_to_announce(const std::vector<std::string>& peers);

/// Control thread.
class RecordDatabase {
public:
    /// Opens the store and binds the relay's port, if there is one. `registry` (may be null) tells whose records the
    /// relay takes without work; it must outlive the database.
    [[nodiscard]] static Result<std::unique_ptr<RecordDatabase>> open(const Config& config,
                                                                      asio::any_io_executor executor,
                                                                      const Clock& clock, Rng& rng, WorkerPool& workers,
                                                                      ports::ProviderRegistry* registry);
    void start(TaskGroup& tasks);
    [[nodiscard]] ports::RecordNetwork& network();

private:
    RecordDatabase() = default;
    [[nodiscard]] Result<> open_full(const Config& config, asio::any_io_executor executor, const Clock& clock, Rng& rng,
                                     WorkerPool& workers, db::RelaySet::Settings peers,
                                     ports::ProviderRegistry* registry);

    std::unique_ptr<db::SqliteRecordStore> store_;
    std::unique_ptr<db::RecordHub> hub_;
    std::unique_ptr<db::RelayServer> server_;
    std::unique_ptr<db::FullNetwork> full_;
    std::unique_ptr<db::LightNetwork> light_;
};

}  // namespace myst::app
