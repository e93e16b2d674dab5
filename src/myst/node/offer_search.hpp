// Finding offers: reads the database page by page, and the registry for those that are looked at.
#pragma once

#include <map>
#include <set>

#include "myst/node/context.hpp"
#include "myst/node/control.hpp"

namespace myst::node {

/// Offers that match, of each provider and service the newest, cheapest first; of 20 answers at most. Anybody can
/// publish offers, so whether the providers are registered is to be asked next; `filter.limit` is left to the caller,
/// since the cheapest may all be somebody's junk.
[[nodiscard]] Task<Result<std::vector<Proposal>>> find_offers(Context& context, ProposalFilter filter);

/// The registry, asked once for each payee. For one search: it does not see changes.
class RegistryView {
public:
    explicit RegistryView(ports::ChainReader& chain) : chain_(chain) {}
    /// Whether the offer's payee is registered with the offer's key.
    [[nodiscard]] Task<Result<bool>> lists(Proposal offer);

private:
    ports::ChainReader& chain_;
    std::map<Address, NodeKey> keys_;
};

}  // namespace myst::node
