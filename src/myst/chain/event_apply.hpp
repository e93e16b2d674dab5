// What an event of the lanes contract does to the tables.
#pragma once

#include "myst/chain/chain_tables.hpp"
#include "myst/chain/lanes_events.hpp"

namespace myst::chain {

/// Applies one event. Where an event repeats what the tables should already say, both must agree; a contradiction
/// means that an event before it is missing or false, and is invalid_data. The caller then rolls back.
[[nodiscard]] Result<> apply_event(ChainTables& tables, const LanesEvent& event);

}  // namespace myst::chain
