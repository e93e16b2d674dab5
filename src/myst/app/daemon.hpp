// The composition root: the one place where concrete classes are named and put together into a running node.
#pragma once

#include "myst/app/config.hpp"

namespace myst::app {

/// Runs a node with this configuration until SIGINT or SIGTERM, then takes everything down in order: no new requests,
/// money to disk, sessions ended, tunnels removed. Blocks; returns the first failure at start-up.
[[nodiscard]] Result<> run_daemon(const Config& config);

}  // namespace myst::app
