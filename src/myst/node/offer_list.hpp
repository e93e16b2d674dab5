// Pages of offers in a chosen order.
#pragma once

#include "myst/node/context.hpp"
#include "myst/node/proposal.hpp"

namespace myst::node {

/// One page of the offers of registered providers that match. Without a chain index the registry is asked offer by
/// offer, until the page is full. invalid_argument for a limit out of range and for a cursor that is none, or was given
/// for another filter or order; failed_precondition for an order by stake or reputation, or a least reputation, without
/// a chain index.
[[nodiscard]] Task<Result<OfferPage>> list_offers(Context& context, ProposalQuery query);

/// failed_precondition if the filter asks for what only a chain index can tell, and there is none.
[[nodiscard]] Result<> check_answerable(const ProposalFilter& filter, const ports::ChainReader& chain);

}  // namespace myst::node
