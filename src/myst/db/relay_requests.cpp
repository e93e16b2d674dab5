#include "myst/db/relay_requests.hpp"

#include <algorithm>

namespace myst::db::detail {

bool matches_any(const std::vector<codec::Filter>& filters, const codec::Event& event) {
    return std::any_of(filters.begin(), filters.end(),
                       [&](const codec::Filter& filter) { return filter.matches(event); });
}

std::vector<codec::Filter> LiveSubscription::resume_filters(seconds overlap, UnixTime now) const {
    auto resumed = filters;
    if (!last_seen) return resumed;
    // An author's clock may be ahead; trusting it would skip what others wrote meanwhile.
    const UnixTime from = std::min(*last_seen, now) - overlap;
    for (auto& filter : resumed) {
        if (!filter.since || *filter.since < from) filter.since = from;
    }
    return resumed;
}

bool RelayRequests::dispatch(RelayMessage message) {
    if (const auto* event = std::get_if<RelayEvent>(&message)) return on_event(*event);
    if (const auto* ok = std::get_if<RelayOk>(&message)) return on_ok(*ok);
    if (const auto* eose = std::get_if<RelayEose>(&message)) {
        if (const auto found = queries.find(eose->subscription); found != queries.end()) {
            found->second->outcome.emplace();
            found->second->answered.notify();
        }
    }
    if (const auto* closed = std::get_if<RelayClosed>(&message)) on_closed(*closed);
    if (const auto* notice = std::get_if<RelayNotice>(&message)) on_notice(*notice);
    if (auto* sync = std::get_if<NegMessage>(&message)) answer_sync(sync->name, std::move(sync->message));
    if (const auto* error = std::get_if<RelayNegError>(&message)) {
        const bool transient = error->message.starts_with("closed");
        const auto code = transient ? ErrorCode::unavailable : ErrorCode::failed_precondition;
        answer_sync(error->name, fail(code, "the relay ended the reconciliation: " + error->message));
    }
    return true;
}

bool RelayRequests::on_event(const RelayEvent& event) {
    const auto& record = event.record;
    if (const auto found = queries.find(event.subscription); found != queries.end()) {
        auto& query = *found->second;
        if (!matches_any(query.filters, record->event())) return false;
        if (query.records.size() < query.limit) query.records.push_back(record);
        return true;
    }
    const auto found = subscriptions.find(event.subscription);
    if (found == subscriptions.end()) return true;  // ended a moment ago
    const auto subscription = found->second;        // the callback may end it
    if (!matches_any(subscription->filters, record->event())) return false;
    const auto created_at = record->event().created_at;
    subscription->last_seen = std::max(subscription->last_seen.value_or(created_at), created_at);
    if (subscription->active && subscription->seen.insert(record->event().id)) subscription->callback(record);
    return true;
}

namespace {

/// A refusal says either that this record will not do, or that the relay cannot take it at the moment.
ErrorCode refusal_code(std::string_view reason) {
    const bool for_now = reason.starts_with("rate-limited:") || reason.starts_with("error:");
    return for_now ? ErrorCode::limit_exceeded : ErrorCode::permission_denied;
}

}  // namespace

bool RelayRequests::on_ok(const RelayOk& ok) {
    const auto [first, last] = publishes.equal_range(ok.id);
    for (auto each = first; each != last; ++each) {
        if (ok.accepted) {
            each->second->outcome = ok.message;
        } else {
            each->second->outcome = fail(refusal_code(ok.message), ok.message.empty() ? "refused" : ok.message);
        }
        each->second->answered.notify();
    }
    return true;
}

void RelayRequests::on_closed(const RelayClosed& closed) {
    if (const auto found = queries.find(closed.subscription); found != queries.end()) {
        found->second->outcome = fail(ErrorCode::permission_denied, "the relay ended the query: " + closed.message);
        found->second->answered.notify();
    } else if (subscriptions.contains(closed.subscription)) {
        closed_reason = "the relay ended a subscription: " + closed.message;
    }
}

void RelayRequests::on_notice(const RelayNotice& notice) {
    for (auto& [name, sync] : syncs) {
        if (!sync->opening || sync->outcome) continue;
        sync->outcome = fail(ErrorCode::failed_precondition, "the relay does not reconcile: " + notice.message);
        sync->answered.notify();
    }
}

void RelayRequests::answer_sync(const std::string& name, Result<Bytes> answer) {
    const auto found = syncs.find(name);
    if (found == syncs.end()) return;  // ended a moment ago
    if (!found->second->outcome) found->second->outcome = std::move(answer);
    found->second->answered.notify();
}

void RelayRequests::fail_pending(const Error& error) {
    for (auto& [id, publish] : publishes) {
        if (!publish->outcome) publish->outcome = tl::unexpected<Error>(error);
        publish->answered.notify();
    }
    for (auto& [name, query] : queries) {
        if (!query->outcome) query->outcome = tl::unexpected<Error>(error);
        query->answered.notify();
    }
    for (auto& [name, sync] : syncs) {
        if (!sync->outcome) sync->outcome = tl::unexpected<Error>(error);
        sync->answered.notify();
    }
}

}  // namespace myst::db::detail
