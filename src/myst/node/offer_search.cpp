#include "myst/node/offer_search.hpp"

#include <set>

#include "myst/base/log.hpp"
#include "myst/node/complaints.hpp"
#include "myst/node/proposal_record.hpp"
#include "myst/node/record_pages.hpp"

namespace myst::node {
namespace {

/// Gathers the offers of one search.
class Search {
public:
    Search(Context& context, ProposalFilter filter)
        : context_(context), filter_(std::move(filter)), pages_(context.records, to_query(filter_)) {}

    Task<Result<>> read_page() {
        auto events = co_await pages_.next();
        if (!events) co_return forward_error(events, "asking for proposals");
        for (const auto& event : *events) take(event);
        co_return Result<>();
    }
    [[nodiscard]] bool at_end() const { return pages_.at_end(); }

    [[nodiscard]] std::vector<Proposal> sorted() && {
        sort_by_price(found_);
        return std::move(found_);
    }

private:
    void take(const codec::Event& event) {
        auto proposal = read_proposal(event, context_.chain.identity());
        if (!proposal) {
            log::debug("a proposal was left out: {}", proposal.error().message);
            return;
        }
        // The newest comes first; relays that lag behind may have older ones.
        if (!names_.emplace(proposal->provider, proposal->service).second) return;
        const auto now = context_.clock.unix_now();
        if (proposal->expires > now && matches(*proposal, filter_, now)) {
            found_.push_back(std::move(*proposal));
        }
    }

    Context& context_;
    const ProposalFilter filter_;
    RecordPages pages_;
    std::set<std::pair<NodeKey, std::string>> names_;
    std::vector<Proposal> found_;
};

}  // namespace

Task<Result<std::vector<Proposal>>> find_offers(Context& context, ProposalFilter filter) {
    Search search(context, std::move(filter));
    auto read = co_await search.read_page();
    if (!read) co_return forward_error(read);
    while (read && !search.at_end()) read = co_await search.read_page();
    if (!read) log::warn("the search for offers stopped early: {}", read.error().message);
    co_return std::move(search).sorted();
}

Task<Result<>> RegistryView::prepare(const std::vector<Proposal>& offers) {
    std::vector<NodeKey> keys;
    for (const auto& offer : offers) keys.push_back(offer.provider);
    revocations_.expect(keys);
    if (!chain_.counts_sales()) co_return Result<>();
    std::set<Address> payees;
    for (const auto& offer : offers) payees.insert(offer.payee);
    std::vector<Address> wanted(payees.begin(), payees.end());
    auto states = co_await chain_.payees(std::move(wanted));
    if (!states) co_return forward_error(states, "looking up the providers' registrations");
    known_.merge(*states);
    std::vector<Address> sellers;
    for (const auto& [payee, state] : known_) {
        if (!state.entry.node_key.is_zero()) sellers.push_back(payee);
    }
    auto disputed = co_await read_complaints(context_, std::move(sellers));
    if (!disputed) co_return forward_error(disputed);
    disputed_ = std::move(*disputed);
    co_return Result<>();
}

Task<Result<std::optional<Offer>>> RegistryView::look_up(Proposal proposal) {
    auto known = known_.find(proposal.payee);
    if (known == known_.end()) {
        std::vector<Address> wanted{proposal.payee};
        auto states = co_await chain_.payees(std::move(wanted));
        if (!states) co_return forward_error(states, "looking up a provider's registration");
        known = known_.emplace(proposal.payee, states->at(proposal.payee)).first;
    }
    const auto& [entry, sales] = known->second;
    if (entry.node_key.is_zero() || entry.node_key != proposal.provider) co_return std::nullopt;
    auto revoked = co_await revocations_.has(proposal.provider);
    if (!revoked) co_return forward_error(revoked);
    if (*revoked) co_return std::nullopt;
    Offer offer{std::move(proposal), entry.stake, sales};
    if (sales) {
        const auto disputed = disputed_.find(offer.proposal.payee);
        offer.disputed = disputed == disputed_.end() ? Amount{} : disputed->second;
        offer.reputation = reputation_of(*sales, *offer.disputed);
    }
    co_return offer;
}

std::uint32_t reputation_of(const ports::PayeeSales& sales, Amount disputed) {
    constexpr std::uint64_t kThousandth = 1'000'000'000'000'000;
    std::uint32_t digits = 0;
    const auto score = sales.weight.minus_saturating(disputed).minus_saturating(disputed);
    for (auto left = score.units() / kThousandth; left != 0; left >>= 1) ++digits;
    return digits;
}

bool suits(const Offer& offer, const ProposalFilter& filter) {
    return offer.stake >= filter.min_stake.value_or(Amount{}) &&
           offer.reputation.value_or(0) >= filter.min_reputation.value_or(0);
}

}  // namespace myst::node
