// A listening socket in the calling thread's network namespace.
#pragma once

#include "myst/vpn/ip_address.hpp"

namespace myst::vpn {

/// Non-blocking, close-on-exec; port 0: any. The caller owns the descriptor.
[[nodiscard]] Result<int> listen_tcp(Ipv4 address, std::uint16_t port);

}  // namespace myst::vpn
