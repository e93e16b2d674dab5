// The first HTTP request of a relay's client: a WebSocket upgrade, or a question about the relay. Only for .cpp files
// of this folder.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <boost/asio/ip/tcp.hpp>

#include "myst/db/web_socket.hpp"

namespace myst::db::detail {

/// Decides, once the request has been read, whether its sender may come in. `forwarded_for` is the last address in the
/// X-Forwarded-For headers, which is the one that the nearest proxy has added; empty if there is none.
using Admit = std::function<bool(std::string_view forwarded_for)>;

/// Upgrades the connection. Who is not admitted gets status 503. Null if the client only wanted to know something and
/// has been answered: `information` for NIP-11, a line of text for a browser.
[[nodiscard]] Task<Result<std::unique_ptr<WebSocket>>> accept_client(asio::ip::tcp::socket socket,
                                                                     std::shared_ptr<const std::string> information,
                                                                     WebSocketSettings settings, Admit admit);

}  // namespace myst::db::detail
