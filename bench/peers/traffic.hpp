// What a whole tunnel costs with so many peers: its thread's processor time, over real sockets and a real interface in
// a network namespace of its own.
#pragma once

#include <cstddef>

#include <boost/json.hpp>

#include "myst/base/error.hpp"

namespace myst::bench {

/// Packets and handshakes per second of processor time. unavailable without root and /dev/net/tun.
[[nodiscard]] Result<boost::json::object> measure_traffic(std::size_t peers);

}  // namespace myst::bench
