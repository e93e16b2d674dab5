// The web API: node::Control over HTTP on the loopback interface, as openapi.json describes it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "myst/api/event_session.hpp"
#include "myst/api/gatekeeper.hpp"
#include "myst/node/control.hpp"
#include "myst/runtime/task.hpp"

namespace myst::api {

struct ServerSettings {
    std::string address = "127.0.0.1";      ///< a loopback IP literal; anything else is refused
    std::uint16_t port = 4449;              ///< 0: any free port
    std::size_t max_connections = 100;      ///< a further one takes the place of a stranger, or gets 503
    milliseconds header_timeout{10'000};    ///< for a request's headers, and for an idle connection
    milliseconds transfer_timeout{10'000};  ///< for a request's body, and for sending a reply
    GateLimits gate{};
    EventSettings events{};
};

/// Every request passes, in this order: well-formed, at most 16 KiB of headers, no Transfer-Encoding; Host and
/// Origin; token; route; content type and size; strict members. Only then does the node hear of it.
/// Control thread. `node` and `clock` must outlive the server.
///
///     auto token = prepare_token(data_dir + "/api-token", rng);
///     auto server = Server::listen(executor, {}, *token, node, clock);
///     group.spawn("api", (*server)->run());
class Server {
public:
    /// Binds. invalid_argument for an address that is not loopback; unavailable if the port is taken.
    [[nodiscard]] static Result<std::unique_ptr<Server>> listen(asio::any_io_executor executor, ServerSettings settings,
                                                                TokenDigest token, node::Control& node,
                                                                const Clock& clock);
    ~Server();
    Server(const Server&) = delete;
    Server& operator=(const Server&) = delete;

    /// Serves until cancelled; then cancels the running requests, waits for them, and unwinds.
    [[nodiscard]] Task<> run();
    [[nodiscard]] std::uint16_t local_port() const;
    /// "http://127.0.0.1:4449"
    [[nodiscard]] std::string url() const;

private:
    struct Impl;
    explicit Server(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace myst::api
