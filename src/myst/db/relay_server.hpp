// The relay that every full node embeds: NIP-01 over WebSocket, NIP-11 over HTTP, NIP-40 through the store.
#pragma once

#include <memory>
#include <string>

#include "myst/db/record_hub.hpp"
#include "myst/db/relay_info.hpp"
#include "myst/db/self_check.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst::db {

/// Accepts connections from strangers. Control thread; messages are decoded and signatures verified on the worker
/// pool, one message per connection at a time, so that a flood of forgeries slows its sender and not the sessions.
class RelayServer {
public:
    struct Settings {
        std::string address = "0.0.0.0";  ///< IP literal
        std::uint16_t port = 7777;        ///< 0: any free port, see local_port
        /// Connections from loopback come from a reverse proxy, which says in X-Forwarded-For for whom: the limit per
        /// address counts those. Never true without such a proxy: a local program could then claim to be anybody.
        bool trusted_proxy = false;
        RelayLimits limits{};
        RelayIdentity identity{};
        std::shared_ptr<SelfCheck> self_check{};  ///< that of the node's own clients; none: it may call itself
        RelayAccess access{};
    };
    /// Binds and listens; `run` accepts. Everything given by reference must outlive the server.
    [[nodiscard]] static Result<std::unique_ptr<RelayServer>> open(asio::any_io_executor executor, RecordHub& hub,
                                                                   WorkerPool& workers, const Clock& clock,
                                                                   Settings settings);
    ~RelayServer();

    /// Serves until cancelled; then every connection is closed.
    [[nodiscard]] Task<> run();
    [[nodiscard]] std::uint16_t local_port() const;
    [[nodiscard]] std::size_t connections() const;

private:
    class Impl;
    explicit RelayServer(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace myst::db
