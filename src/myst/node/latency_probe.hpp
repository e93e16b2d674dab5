// Measuring how long providers take to answer (docs/protocol.md, "Measuring latency").
#pragma once

#include "myst/node/context.hpp"
#include "myst/node/latency_book.hpp"
#include "myst/node/proposal.hpp"

namespace myst::node {

/// Asks the providers of `offers` that the book does not know, eight at once and each for two seconds, and notes what
/// they answered. At most `most` of them are asked.
[[nodiscard]] Task<LatencyRound> measure_latency(Context& context, LatencyBook& book, std::vector<Proposal> offers,
                                                 std::size_t most);

}  // namespace myst::node
