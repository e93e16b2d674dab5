// WebSocket connections to relays.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/ip/address.hpp>

#include "myst/db/relay_url.hpp"
#include "myst/sys/web_socket.hpp"

namespace myst::db {

/// Holds a number of this connection alone, by which a node recognises that it has called itself (self_check.hpp).
inline constexpr std::string_view kConnectionHeader = "X-Mysterium-Connection";

using sys::CloseCode;
using sys::WebSocket;

struct WebSocketSettings : sys::WebSocketLimits {
    std::uint32_t mark = 0;                      ///< client: SO_MARK of the socket (needs CAP_NET_ADMIN); 0: none
    std::string ca_file{};                       ///< client: PEM file to trust instead of the system's certificates
    std::optional<asio::ip::address> address{};  ///< client: connect here, instead of looking up the URL's host
    std::string connection_id{};                 ///< client: sent in the header kConnectionHeader; empty: no header
};

/// Connects to a relay; for wss:// the certificate must be valid for the host. Errors name host and cause.
[[nodiscard]] Task<Result<std::unique_ptr<WebSocket>>> connect_web_socket(RelayUrl url, WebSocketSettings settings);

}  // namespace myst::db
