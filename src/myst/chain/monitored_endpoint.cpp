#include "myst/chain/monitored_endpoint.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/base/backoff.hpp"
#include "myst/base/log.hpp"

namespace myst::chain {
namespace {

constexpr std::int64_t kAveraged = 5;  // calls, about
constexpr unsigned kCutOffs = 3;       // in a row: it does not answer

/// Whether the answer is as long as whoever writes to the chain makes it, whichever endpoint gives it.
bool is_sized_by_chain(std::string_view method) {
    return method == "eth_getLogs" || method == "eth_getBlockReceipts";
}

}  // namespace

class MonitoredEndpoint::Watch {
public:
    Watch(MonitoredEndpoint& endpoint, bool timed)
        : endpoint_(endpoint), health_(endpoint.health_), timed_(timed), start_(endpoint.clock_.now()) {
        ++health_.calls;
    }
    /// There was an answer, or it became clear that there will be none.
    void finish() { finished_ = true; }
    ~Watch() {
        if (finished_) {
            health_.cut_off_in_a_row = 0;
        } else if (++health_.cut_off_in_a_row >= kCutOffs) {
            health_.cut_off_in_a_row = 0;
            endpoint_.note_failure({ErrorCode::timeout, "no answer before the others had answered"});
        }
        if (!timed_) return;
        const auto taken = endpoint_.clock_.now() - start_;
        const auto taken_us = std::chrono::duration_cast<std::chrono::microseconds>(taken).count();
        health_.latency_us += (taken_us - health_.latency_us) / (health_.latency_us == 0 ? 1 : kAveraged);
    }
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

private:
    MonitoredEndpoint& endpoint_;
    EndpointHealth& health_;
    bool timed_;
    MonotonicTime start_;
    bool finished_ = false;
};

Task<Result<RpcReply>> MonitoredEndpoint::exchange(RpcCall call) {
    Watch watch(*this, !call.large);
    const bool sized_by_chain = is_sized_by_chain(call.method);
    auto reply = co_await endpoint_->exchange(std::move(call));
    watch.finish();
    if (reply) {
        health_.failures_in_a_row = 0;
    } else if (!sized_by_chain || reply.error().code != ErrorCode::limit_exceeded) {
        note_failure(reply.error());
    }
    co_return reply;
}

Task<Result<std::vector<Result<boost::json::value>>>> MonitoredEndpoint::batch(std::vector<RpcCall> calls) {
    Watch watch(*this, true);
    auto replies = co_await endpoint_->batch(std::move(calls));
    watch.finish();
    if (replies) {
        health_.failures_in_a_row = 0;
    } else if (replies.error().code != ErrorCode::limit_exceeded) {  // a smaller batch may do
        note_failure(replies.error());
    }
    co_return replies;
}

void MonitoredEndpoint::note_failure(const Error& error) {
    if (health_.failures_in_a_row == 0) log::warn("chain: endpoint {}: {}", name_, error.describe());
    ++health_.failures;
    health_.last_error = error.message;
    health_.identified.reset();
    health_.retry_at = clock_.now() + doubled(pauses_.first, health_.failures_in_a_row++, pauses_.longest);
}

void MonitoredEndpoint::note_disagreement(const std::string& about, milliseconds distrust) {
    ++health_.disagreements;
    health_.last_error = "contradicted by the other endpoints: " + about;
    const auto now = clock_.now();
    if (health_.distrusted_until < now) log::warn("chain: endpoint {}: {}", name_, health_.last_error);
    health_.distrusted_until = std::max(health_.distrusted_until, now + distrust);
}

}  // namespace myst::chain
