// Pages of offers in a chosen order.
#pragma once

#include "myst/node/context.hpp"
#include "myst/node/latency_book.hpp"
#include "myst/node/proposal.hpp"

namespace myst::node {

/// One page of the offers of registered providers that match. Without a chain index the registry is asked offer by
/// offer, until the page is full. invalid_argument for a limit out of range and for a cursor that is none, or was given
/// for another filter or order; failed_precondition for an order by stake or reputation, or a least reputation, without
/// a chain index. Where the latency matters, the first page measures it before.
[[nodiscard]] Task<Result<OfferPage>> list_offers(Context& context, LatencyBook& book, ProposalQuery query);

/// Measures the next eight of the offers that an order by latency wants to know.
[[nodiscard]] Task<Result<LatencyRound>> measure_offers(Context& context, LatencyBook& book, ProposalFilter filter);

/// failed_precondition if the filter asks for what only a chain index can tell, and there is none.
[[nodiscard]] Result<> check_answerable(const ProposalFilter& filter, const ports::ChainReader& chain);

}  // namespace myst::node
