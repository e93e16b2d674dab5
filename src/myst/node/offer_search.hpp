// Finding offers: reads the database page by page, and the registry for those that are looked at.
#pragma once

#include "myst/node/context.hpp"
#include "myst/node/control.hpp"
#include "myst/node/revocation.hpp"

namespace myst::node {

/// Offers that match, of each provider and service the newest, cheapest first; of 20 answers at most. Anybody can
/// publish offers, so what the chain says of the providers is to be asked next.
[[nodiscard]] Task<Result<std::vector<Proposal>>> find_offers(Context& context, ProposalFilter filter);

/// The registry and the sales of payees, asked once for each payee, and revocations. For one search: it does not see
/// changes.
class RegistryView {
public:
    explicit RegistryView(Context& context) : context_(context), chain_(context.chain), revocations_(context.records) {}
    /// Offers that will be looked up, in this order. Asks the chain for all their payees at once, if its reader can,
    /// and reads what payers complain of.
    [[nodiscard]] Task<Result<>> prepare(const std::vector<Proposal>& offers);
    /// The offer with what the chain says; none if its payee is not registered with the offer's key, or the key was
    /// revoked.
    [[nodiscard]] Task<Result<std::optional<Offer>>> look_up(Proposal proposal);

private:
    Context& context_;
    ports::ChainReader& chain_;
    Revocations revocations_;
    ports::PayeeStates known_;
    std::map<Address, Amount> disputed_;
};

/// As docs/records.md defines it.
[[nodiscard]] std::uint32_t reputation_of(const ports::PayeeSales& sales, Amount disputed);
/// Whether what the chain says fits. An offer of unknown reputation has none.
[[nodiscard]] bool suits(const Offer& offer, const ProposalFilter& filter);

}  // namespace myst::node
