// A WebSocket connection (RFC 6455), client or server side, over TCP or TLS. Text messages only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/ip/address.hpp>

#include "myst/base/clock.hpp"
#include "myst/db/relay_url.hpp"
#include "myst/runtime/task.hpp"

namespace myst::db {

/// Holds a number of this connection alone, by which a node recognises that it has called itself (self_check.hpp).
inline constexpr std::string_view kConnectionHeader = "X-Mysterium-Connection";

/// Why a connection is closed, as the close frame says it.
enum class CloseCode : std::uint16_t {
    normal = 1000,
    policy = 1008,  ///< the other side broke a rule of ours
    try_later = 1013,
};

/// Control thread. At most one `read` and one `write` may be under way at a time. Cancelling either unwinds it and
/// leaves the connection useless. Destroying the object closes the connection at once.
class WebSocket {
public:
    virtual ~WebSocket() = default;
    /// The next text message. unavailable: closed or lost; timeout: the other side is silent, pings included;
    /// limit_exceeded: a larger message than allowed; invalid_data: not text.
    [[nodiscard]] virtual Task<Result<std::string>> read() = 0;
    [[nodiscard]] virtual Task<Result<>> write(std::shared_ptr<const std::string> message) = 0;
    /// Says good-bye and closes, within two seconds. `reason`: at most 120 bytes. A `read` that is under way fails.
    [[nodiscard]] virtual Task<> close(CloseCode code, std::string reason) = 0;
    /// Drops the connection; `read` and `write` fail.
    virtual void abort() = 0;
};

struct WebSocketSettings {
    std::size_t max_message_bytes = 128 * 1024;
    milliseconds handshake_timeout{10'000};      ///< name lookup, TCP, TLS and HTTP upgrade together
    milliseconds idle_timeout{60'000};           ///< silence that ends the connection; pings go out after half of it
    std::uint32_t mark = 0;                      ///< client: SO_MARK of the socket (needs CAP_NET_ADMIN); 0: none
    std::string ca_file{};                       ///< client: PEM file to trust instead of the system's certificates
    std::optional<asio::ip::address> address{};  ///< client: connect here, instead of looking up the URL's host
    std::string connection_id{};                 ///< client: sent in the header kConnectionHeader; empty: no header
};

/// Connects to a relay; for wss:// the certificate must be valid for the host. Errors name host and cause.
[[nodiscard]] Task<Result<std::unique_ptr<WebSocket>>> connect_web_socket(RelayUrl url, WebSocketSettings settings);

}  // namespace myst::db
