// One connection of the web API: reads requests, lets the gatekeeper judge them, runs the route, sends the reply.
// Internal to the server.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include "myst/api/gatekeeper.hpp"
#include "myst/node/control.hpp"

namespace myst::api {

/// What every connection of a server shares; outlives the connections.
struct ConnectionContext {
    Gatekeeper& gatekeeper;
    node::Control& node;
    const Clock& clock;
    milliseconds header_timeout;
    milliseconds transfer_timeout;
};

/// Serves requests one after the other until the client leaves, misbehaves or is too slow.
[[nodiscard]] Task<> serve_connection(asio::ip::tcp::socket socket, const ConnectionContext& context);

/// Answers 503 without waiting for a request, and closes.
void refuse_connection(asio::ip::tcp::socket socket);

}  // namespace myst::api
