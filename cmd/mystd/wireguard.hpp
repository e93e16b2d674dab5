// `mystd wireguard IFNAME`: a WireGuard interface in the foreground, set up with `wg` and `ip` as any other.
#pragma once

#include "myst/dataplane/tunnel.hpp"

/// Carries the interface until SIGINT or SIGTERM, or until it is removed. Returns the exit status.
int run_wireguard(const myst::dataplane::Tunnel::Settings& settings);
