// Offers as they come, change and go: the database's subscription, with what the chain says of the providers.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "myst/node/offer_change.hpp"
#include "myst/node/offer_search.hpp"
#include "myst/runtime/event_signal.hpp"

namespace myst::node {

/// How often what no record tells is looked for, and how much is held.
struct LiveOffersSettings {
    /// Between looks at everything. They see what no record tells: changes on the chain, records that a lost connection
    /// has swallowed.
    milliseconds look_again{60'000};
    milliseconds look_again_without_index{600'000};  ///< the same, where each provider is a question to an endpoint
    milliseconds retry{5'000};                       ///< after a failure
    std::size_t max_offers = 10'000;                 ///< that match
    std::size_t max_waiting = 10'000;                ///< records not looked at; beyond it everything is looked at anew
};

/// Works only while `next` is waiting. `context` outlives it. Control thread.
class LiveOffers final : public OfferWatch {
public:
    LiveOffers(Context& context, ProposalFilter filter, LiveOffersSettings settings = {});

    [[nodiscard]] Task<Result<OfferChange>> next() override;

private:
    using Name = std::pair<NodeKey, std::string>;  ///< provider and service

    /// Notes what a record may change.
    void hear(const codec::Event& event);
    void hear_offer(Proposal proposal);
    [[nodiscard]] bool has_work() const;
    /// Does a piece of the work there is.
    [[nodiscard]] Task<Result<>> look();
    [[nodiscard]] Task<Result<>> look_at_all();
    [[nodiscard]] Task<Result<>> look_at_suspect(NodeKey provider);
    [[nodiscard]] Task<Result<>> look_at_heard();
    /// Compares each with what was told.
    [[nodiscard]] Task<Result<>> judge_all(std::vector<Proposal> proposals);
    void tell(Offer offer);
    void tell_gone(const Name& name);
    /// Of those that time alone has taken.
    void tell_outdated();
    [[nodiscard]] bool fits(const Proposal& proposal) const;
    [[nodiscard]] milliseconds time_to_wait() const;
    [[nodiscard]] UnixTime outdated_at(const Proposal& proposal) const;

    Context& context_;
    const ProposalFilter filter_;
    const LiveOffersSettings settings_;
    std::map<Name, Offer> told_;
    std::map<Name, Proposal> heard_;  ///< to be looked at
    std::set<NodeKey> suspects_;      ///< whose offers may be gone
    std::deque<OfferChange> changes_;
    bool is_complete_ = false;  ///< what there was at the beginning has been told
    bool is_looking_ = false;
    MonotonicTime look_at_all_at_;
    MonotonicTime rest_until_;             ///< after a failure
    UnixTime outdated_ = UnixTime::max();  ///< when the first of `told_` is
    EventSignal changed_;
    std::unique_ptr<ports::Subscription> subscription_;  ///< last: it calls back
};

}  // namespace myst::node
