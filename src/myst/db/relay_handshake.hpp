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

/// What a request says about its sender.
struct Visitor {
    std::string forwarded_for;  ///< the last address in the X-Forwarded-For headers, which is the one that the nearest
                                ///< proxy has added; empty if there is none
    std::string connection_id;  ///< kConnectionHeader; empty if there is none
};
enum class Welcome {
    come_in,
    busy,  ///< status 503
};
/// Decides, once the request has been read, whether its sender may come in.
using Admit = std::function<Welcome(const Visitor& visitor)>;

/// Upgrades the connection, if its sender is welcome. Null if the client only wanted to know something and
/// has been answered: `information` for NIP-11, a line of text for a browser.
[[nodiscard]] Task<Result<std::unique_ptr<WebSocket>>> accept_client(asio::ip::tcp::socket socket,
                                                                     std::shared_ptr<const std::string> information,
                                                                     WebSocketSettings settings, Admit admit);

}  // namespace myst::db::detail
