// What a relay client is waiting for: answers to published records, ends of queries, events of subscriptions.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "myst/db/relay_message.hpp"
#include "myst/db/seen_ids.hpp"
#include "myst/runtime/event_signal.hpp"

namespace myst::db::detail {

/// A record on its way; ends with the relay's OK.
struct PendingPublish {
    explicit PendingPublish(const asio::any_io_executor& executor) : answered(executor) {}
    EventSignal answered;
    std::optional<Result<std::string>> outcome;
};

/// A query on its way; ends with EOSE or CLOSED.
struct PendingQuery {
    explicit PendingQuery(const asio::any_io_executor& executor) : answered(executor) {}
    EventSignal answered;
    std::vector<codec::Filter> filters;
    std::size_t limit = 0;
    std::vector<SharedRecord> records;
    std::optional<Result<>> outcome;
};

/// A message of a set reconciliation on its way; ends with the relay's, or with NEG-ERR.
struct PendingSync {
    explicit PendingSync(const asio::any_io_executor& executor) : answered(executor) {}
    EventSignal answered;
    bool opening = false;  ///< it is the first: a relay that does not know the message says so in a NOTICE
    std::optional<Result<Bytes>> outcome;
};

/// A lasting subscription.
struct LiveSubscription {
    std::vector<codec::Filter> filters;
    std::function<void(const SharedRecord&)> callback;
    std::optional<UnixTime> last_seen;  ///< newest created_at so far
    SeenIds seen{4096};
    bool active = true;

    /// The filters for (re)subscribing: after a break only what may have been missed.
    [[nodiscard]] std::vector<codec::Filter> resume_filters(seconds overlap, UnixTime now) const;
};

/// Routes the relay's messages. Control thread.
class RelayRequests {
public:
    /// False if the message is one that an honest relay does not send.
    [[nodiscard]] bool dispatch(RelayMessage message);
    /// Everything that waits for an answer fails with `error`; subscriptions stay.
    void fail_pending(const Error& error);

    std::multimap<Hash32, std::shared_ptr<PendingPublish>> publishes;
    std::map<std::string, std::shared_ptr<PendingQuery>> queries;
    std::map<std::string, std::shared_ptr<PendingSync>> syncs;
    std::map<std::string, std::shared_ptr<LiveSubscription>> subscriptions;
    /// A name that was not used before.
    [[nodiscard]] std::string next_name(char prefix) { return prefix + std::to_string(++last_name_); }
    /// Why the relay ended a subscription by itself; empty if none did.
    std::string closed_reason;

private:
    [[nodiscard]] bool on_event(const RelayEvent& event);
    [[nodiscard]] bool on_ok(const RelayOk& ok);
    void on_closed(const RelayClosed& closed);
    void on_notice(const RelayNotice& notice);
    void answer_sync(const std::string& name, Result<Bytes> answer);
    std::uint64_t last_name_ = 0;
};

/// Whether any filter matches.
[[nodiscard]] bool matches_any(const std::vector<codec::Filter>& filters, const codec::Event& event);

}  // namespace myst::db::detail
