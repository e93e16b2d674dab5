#include "myst/node/offer_search.hpp"

#include "myst/base/log.hpp"
#include "myst/node/proposal_record.hpp"

namespace myst::node {
namespace {

constexpr std::size_t kPage = 500;  ///< records; what a relay answers to one question
constexpr std::size_t kLargestPage = 8'000;
constexpr std::size_t kMaxPages = 20;

/// Gathers the offers of one search.
class Search {
public:
    Search(Context& context, ProposalFilter filter)
        : context_(context), filter_(std::move(filter)), query_(to_query(filter_)) {}

    /// False: there is nothing further back.
    Task<Result<bool>> read_page() {
        std::vector<codec::Filter> query{query_};
        auto events = co_await context_.records.query(std::move(query), page_);
        if (!events) co_return forward_error(events, "asking for proposals");
        if (events->empty()) co_return false;
        for (const auto& event : *events) {
            if (seen_.insert(event.id).second) take(event);
        }
        co_return go_back(*events);
    }

    [[nodiscard]] std::vector<Proposal> sorted() && {
        sort_by_price(found_);
        return std::move(found_);
    }

private:
    /// What to ask for next; false: there is nothing further back.
    bool go_back(const std::vector<codec::Event>& events) {
        const UnixTime oldest = events.back().created_at;
        if (query_.until != oldest) {
            query_.until = oldest;  // and this second again, of which there may be more
            page_ = kPage;
            return true;
        }
        if (events.size() < kPage) return false;
        // One second fills the page. A larger one shows the rest, if it comes from the own store; a relay's ends here.
        if (events.size() == page_ && page_ < kLargestPage) {
            page_ *= 2;
        } else {
            query_.until = oldest - seconds(1);
            page_ = kPage;
        }
        return true;
    }

    void take(const codec::Event& event) {
        auto proposal = read_proposal(event, context_.chain.identity());
        if (!proposal) {
            log::debug("a proposal was left out: {}", proposal.error().message);
            return;
        }
        // The newest comes first; relays that lag behind may have older ones.
        if (!names_.emplace(proposal->provider, proposal->service).second) return;
        if (proposal->expires > context_.clock.unix_now() && matches(*proposal, filter_)) {
            found_.push_back(std::move(*proposal));
        }
    }

    Context& context_;
    const ProposalFilter filter_;
    codec::Filter query_;
    std::size_t page_ = kPage;
    std::set<Hash32> seen_;
    std::set<std::pair<NodeKey, std::string>> names_;
    std::vector<Proposal> found_;
};

}  // namespace

Task<Result<std::vector<Proposal>>> find_offers(Context& context, ProposalFilter filter) {
    Search search(context, std::move(filter));
    for (std::size_t page = 0; page < kMaxPages; ++page) {
        auto more = co_await search.read_page();
        if (!more && page == 0) co_return forward_error(more);
        if (!more) log::warn("the search for offers stopped early: {}", more.error().message);
        if (!more || !*more) break;
    }
    co_return std::move(search).sorted();
}

Task<Result<bool>> RegistryView::lists(Proposal offer) {
    auto known = keys_.find(offer.payee);
    if (known == keys_.end()) {
        auto entry = co_await chain_.provider(offer.payee);
        if (!entry) co_return forward_error(entry, "looking up a provider's registration");
        known = keys_.emplace(offer.payee, entry->node_key).first;
    }
    co_return !known->second.is_zero() && known->second == offer.provider;
}

}  // namespace myst::node
