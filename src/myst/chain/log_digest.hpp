// A digest of logs, to compare what two endpoints say, or what one says now with what was applied before. Pure.
#pragma once

#include <span>

#include "myst/chain/lanes_events.hpp"

namespace myst::chain {

/// Keccak-256 over all members of all logs, in order; zero if there are none.
[[nodiscard]] Hash32 digest_of(std::span<const Log> logs);

}  // namespace myst::chain
