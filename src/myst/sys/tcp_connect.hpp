// Outgoing TCP connections: name lookup, firewall mark, every address of the host in turn.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/ip/tcp.hpp>

#include "myst/base/error.hpp"
#include "myst/runtime/task.hpp"

namespace myst::sys {

struct TcpTarget {
    std::string host;  ///< name or IP literal, without brackets
    std::uint16_t port = 0;
    std::uint32_t mark = 0;  ///< SO_MARK (needs CAP_NET_ADMIN); 0: none

    /// "host:port", for messages.
    [[nodiscard]] std::string place() const { return host + ":" + std::to_string(port); }
};

/// Looks the host up and connects to the first of its addresses that answers. One limit is set here: of several
/// addresses each gets at most five seconds, so that a dead one does not use up the time for the others. The whole is
/// bounded by the caller, with `with_timeout`. Cancellation unwinds, during the lookup too. unavailable: no address, or
/// none that answers; timeout: the last address was silent; permission_denied: the mark. Errors begin with the place.
[[nodiscard]] Task<Result<std::unique_ptr<asio::ip::tcp::socket>>> tcp_connect(TcpTarget target);

}  // namespace myst::sys
