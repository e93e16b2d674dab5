// A WebSocket connection (RFC 6455), client or server side, over TCP or TLS. Text messages only. Who opens one needs
// beast_socket.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "myst/base/clock.hpp"
#include "myst/base/error.hpp"
#include "myst/runtime/task.hpp"

namespace myst::sys {

/// Why a connection is closed, as the close frame says it.
enum class CloseCode : std::uint16_t {
    normal = 1000,
    going_away = 1001,  ///< this program stops
    not_text = 1003,
    policy = 1008,  ///< the other side broke a rule of ours
    too_big = 1009,
    internal = 1011,
    try_later = 1013,
};

/// Control thread. At most one `read` and one `write` may be under way at a time. Cancelling either unwinds it and
/// leaves the connection useless. Destroying the object closes the connection at once.
class WebSocket {
public:
    virtual ~WebSocket() = default;
    /// The next text message. unavailable: closed or lost; timeout: the other side is silent, pings included;
    /// limit_exceeded: a larger message than allowed, of which the other side has been told; invalid_data: not text.
    [[nodiscard]] virtual Task<Result<std::string>> read() = 0;
    [[nodiscard]] virtual Task<Result<>> write(std::shared_ptr<const std::string> message) = 0;
    /// Says good-bye and closes, within two seconds. `reason`: at most 120 bytes. A `read` that is under way fails.
    [[nodiscard]] virtual Task<> close(CloseCode code, std::string reason) = 0;
    /// Drops the connection; `read` and `write` fail.
    virtual void abort() = 0;
};

/// What both sides of a connection set.
struct WebSocketLimits {
    std::size_t max_message_bytes = 128 * 1024;
    milliseconds handshake_timeout{10'000};  ///< client: name lookup, TCP, TLS and HTTP upgrade together
    milliseconds idle_timeout{60'000};       ///< silence that ends the connection; pings go out after half of it
};

}  // namespace myst::sys
