// What payers complain of, as far as their money gives it weight.
#pragma once

#include <map>
#include <vector>

#include "myst/node/context.hpp"

namespace myst::node {

/// For each payee that somebody complains of: the sum over the payers whose newest receipt is bad of what they have
/// settled with it on chain, of each at most ports::kMostWeight (docs/records.md, Reputation). Receipts of those who
/// have settled nothing count for nothing. Needs ChainReader::counts_sales.
[[nodiscard]] Task<Result<std::map<Address, Amount>>> read_complaints(Context& context, std::vector<Address> payees);

}  // namespace myst::node
