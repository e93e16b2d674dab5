#include "myst/node/live_offers.hpp"

#include <algorithm>

#include "myst/base/busy.hpp"
#include "myst/base/log.hpp"
#include "myst/node/proposal_record.hpp"

namespace myst::node {
namespace {

/// How far a provider's clock may be behind for its records to be heard at once.
constexpr seconds kClockTolerance{120};
/// An offer that lives no longer than this has been withdrawn.
constexpr seconds kLastMoments{2};

/// A record of another country may be the newer version of one that matches, so it has to be heard, too.
std::vector<codec::Filter> what_to_follow(ProposalFilter filter, UnixTime now) {
    filter.country.clear();
    std::vector<codec::Filter> filters(2);
    filters[0] = to_query(filter);
    filters[1].kinds = {codec::kRevocationKind, codec::kDeletionKind};
    if (filter.provider) filters[1].authors = {*filter.provider};
    for (auto& each : filters) each.since = now - kClockTolerance;
    return filters;
}

}  // namespace

LiveOffers::LiveOffers(Context& context, ProposalFilter filter, LiveOffersSettings settings)
    : context_(context),
      filter_(std::move(filter)),
      settings_(settings),
      look_at_all_at_(context.clock.now()),
      rest_until_(context.clock.now()),
      changed_(context.executor),
      subscription_(context.records.subscribe(what_to_follow(filter_, context.clock.unix_now()),
                                              [this](const codec::Event& event) { hear(event); })) {}

Task<Result<OfferChange>> LiveOffers::next() {
    for (;;) {
        tell_outdated();
        if (!changes_.empty()) {
            auto change = std::move(changes_.front());
            changes_.pop_front();
            co_return change;
        }
        if (!has_work()) {
            std::ignore = co_await changed_.wait(time_to_wait());
            continue;
        }
        auto looked = co_await look();
        if (told_.size() > settings_.max_offers) {
            co_return fail(ErrorCode::limit_exceeded, "too many offers match to be followed", "narrow the filter");
        }
        if (looked) continue;
        if (!is_complete_) co_return forward_error(looked);
        log::debug("following offers: {}", looked.error().message);
        rest_until_ = look_at_all_at_ = context_.clock.now() + settings_.retry;
    }
}

// What may have changed

void LiveOffers::hear(const codec::Event& event) {
    if (event.kind == kProposalKind) {
        auto proposal = read_proposal(event, context_.chain.identity());
        if (proposal) hear_offer(std::move(*proposal));
        return;
    }
    const auto first = told_.lower_bound(Name(event.pubkey, ""));
    const bool is_told = first != told_.end() && first->first.first == event.pubkey;
    if (!is_told && !is_looking_) return;
    suspects_.insert(event.pubkey);
    changed_.notify();
}

void LiveOffers::hear_offer(Proposal proposal) {
    Name name(proposal.provider, proposal.service);
    const auto waiting = heard_.find(name);
    if (waiting != heard_.end()) {
        if (proposal.published >= waiting->second.published) waiting->second = std::move(proposal);
        return;
    }
    // What is being looked at may be an older version of this.
    if (!is_looking_ && !told_.contains(name) && !fits(proposal)) return;
    if (heard_.size() < settings_.max_waiting) {
        heard_.emplace(std::move(name), std::move(proposal));
    } else {
        heard_.clear();
        look_at_all_at_ = context_.clock.now();
    }
    changed_.notify();
}

bool LiveOffers::fits(const Proposal& proposal) const {
    const auto now = context_.clock.unix_now();
    return proposal.expires > now + kLastMoments && matches(proposal, filter_, now);
}

// Looking

bool LiveOffers::has_work() const {
    const auto now = context_.clock.now();
    return now >= rest_until_ && (now >= look_at_all_at_ || !suspects_.empty() || !heard_.empty());
}

milliseconds LiveOffers::time_to_wait() const {
    const auto now = context_.clock.now();
    auto left = std::chrono::ceil<milliseconds>(std::max(look_at_all_at_, rest_until_) - now);
    if (!suspects_.empty() || !heard_.empty()) left = std::chrono::ceil<milliseconds>(rest_until_ - now);
    if (outdated_ != UnixTime::max()) {
        left = std::min(left, std::chrono::ceil<milliseconds>(outdated_ - context_.clock.unix_now()));
    }
    return std::max(left, milliseconds(1));
}

Task<Result<>> LiveOffers::look() {
    const Busy busy(is_looking_);
    if (context_.clock.now() >= look_at_all_at_) co_return co_await look_at_all();
    if (suspects_.empty()) co_return co_await look_at_heard();
    const auto provider = *suspects_.begin();
    suspects_.erase(suspects_.begin());
    co_return co_await look_at_suspect(provider);
}

Task<Result<>> LiveOffers::look_at_all() {
    const bool has_index = context_.chain.counts_sales();
    look_at_all_at_ = context_.clock.now() + (has_index ? settings_.look_again : settings_.look_again_without_index);
    auto found = co_await find_offers(context_, filter_);
    if (!found) co_return forward_error(found);
    std::set<Name> names;
    for (const auto& each : *found) names.emplace(each.provider, each.service);
    auto judged = co_await judge_all(std::move(*found));
    if (!judged) co_return judged;
    // A relay's answer may be incomplete, so those that are missing are asked for once more.
    for (const auto& [name, offer] : told_) {
        if (!names.contains(name)) suspects_.insert(name.first);
    }
    if (!std::exchange(is_complete_, true)) changes_.emplace_back(OffersComplete{});
    co_return Result<>();
}

Task<Result<>> LiveOffers::look_at_suspect(NodeKey provider) {
    auto filter = filter_;
    filter.provider = provider;
    auto found = co_await find_offers(context_, std::move(filter));
    if (!found) co_return forward_error(found);
    std::set<Name> missing;
    for (auto each = told_.lower_bound(Name(provider, "")); each != told_.end(); ++each) {
        if (each->first.first != provider) break;
        missing.insert(each->first);
    }
    for (const auto& each : *found) missing.erase(Name(each.provider, each.service));
    for (const auto& name : missing) tell_gone(name);
    co_return co_await judge_all(std::move(*found));
}

Task<Result<>> LiveOffers::look_at_heard() {
    std::vector<Proposal> proposals;
    for (auto& [name, proposal] : std::exchange(heard_, {})) proposals.push_back(std::move(proposal));
    co_return co_await judge_all(std::move(proposals));
}

Task<Result<>> LiveOffers::judge_all(std::vector<Proposal> proposals) {
    std::erase_if(proposals, [this](const Proposal& proposal) {
        const Name name(proposal.provider, proposal.service);
        const auto known = told_.find(name);
        if (known != told_.end() && proposal.published < known->second.proposal.published) return true;
        if (fits(proposal)) return false;
        tell_gone(name);
        return true;
    });
    RegistryView registry(context_);
    auto prepared = co_await registry.prepare(proposals);
    if (!prepared) co_return prepared;
    for (auto& proposal : proposals) {
        const Name name(proposal.provider, proposal.service);
        auto offer = co_await registry.look_up(std::move(proposal));
        if (!offer) co_return forward_error(offer);
        if (*offer && suits(**offer, filter_)) {
            tell(std::move(**offer));
        } else {
            tell_gone(name);
        }
    }
    co_return Result<>();
}

// Telling

void LiveOffers::tell(Offer offer) {
    Name name(offer.proposal.provider, offer.proposal.service);
    auto [place, is_new] = told_.try_emplace(std::move(name), offer);
    if (!is_new && place->second == offer) return;
    place->second = offer;
    outdated_ = std::min(outdated_, outdated_at(offer.proposal));
    changes_.emplace_back(std::move(offer));
}

void LiveOffers::tell_gone(const Name& name) {
    if (told_.erase(name) > 0) changes_.emplace_back(OfferGone{name.first, name.second});
}

void LiveOffers::tell_outdated() {
    if (context_.clock.unix_now() < outdated_) return;
    outdated_ = UnixTime::max();
    std::vector<Name> gone;
    for (const auto& [name, offer] : told_) {
        if (!fits(offer.proposal)) {
            gone.push_back(name);
        } else {
            outdated_ = std::min(outdated_, outdated_at(offer.proposal));
        }
    }
    for (const auto& name : gone) tell_gone(name);
}

UnixTime LiveOffers::outdated_at(const Proposal& proposal) const {
    const auto end = proposal.expires - kLastMoments;
    return filter_.max_age ? std::min(end, proposal.published + *filter_.max_age + seconds(1)) : end;
}

}  // namespace myst::node
