// One connection of the web API: reads requests, lets the gatekeeper judge them, runs the route, sends the reply.
// Internal to the server.
#pragma once

#include <list>

#include <boost/asio/ip/tcp.hpp>

#include "myst/api/event_session.hpp"
#include "myst/api/gatekeeper.hpp"
#include "myst/node/control.hpp"

namespace myst::api {

/// Connections that have not shown the token yet: anybody on the machine can open them, so they make room for others.
class Strangers {
public:
    using Place = std::list<asio::ip::tcp::socket*>::iterator;
    /// `socket` must stay until `remove`.
    [[nodiscard]] Place add(asio::ip::tcp::socket& socket) { return sockets_.insert(sockets_.end(), &socket); }
    void remove(Place place) { sockets_.erase(place); }
    /// Shuts the one that has been here longest, which then ends by itself; false if there is none.
    bool turn_out_oldest();

private:
    std::list<asio::ip::tcp::socket*> sockets_;  ///< oldest first
};

/// What every connection of a server shares; outlives the connections.
struct ConnectionContext {
    Gatekeeper& gatekeeper;
    node::Control& node;
    const Clock& clock;
    Strangers& strangers;
    milliseconds header_timeout;
    milliseconds transfer_timeout;
    EventSettings events;
    std::size_t& event_clients;  ///< that there are
};

/// Serves requests one after the other until the client leaves, misbehaves or is too slow.
[[nodiscard]] Task<> serve_connection(asio::ip::tcp::socket socket, const ConnectionContext& context);

/// Answers 503 without waiting for a request, and closes.
void refuse_connection(asio::ip::tcp::socket socket);

}  // namespace myst::api
