// The registry joined with what payees have been paid, for many of them at once.
#pragma once

#include <vector>

#include "myst/ports/chain.hpp"
#include "myst/sys/sqlite.hpp"

namespace myst::chain {

/// An entry for each address, zeros for those that the tables do not know. One statement for up to 500 of them.
/// `database` has chain_schema(). invalid_data if the file is damaged.
[[nodiscard]] Result<ports::PayeeStates> read_payees(sys::Database& database, const std::vector<Address>& addresses);

/// An entry for each pair, zero if nothing was paid; the rest likewise.
[[nodiscard]] Result<ports::SalesVolumes> read_volumes(sys::Database& database,
                                                       const std::vector<ports::SalesKey>& pairs);

}  // namespace myst::chain
