// An endpoint, and what has been seen of it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "myst/base/clock.hpp"
#include "myst/chain/rpc_caller.hpp"
#include "myst/ports/chain_status.hpp"

namespace myst::chain {

/// What a node knows of an endpoint. Plain data; the times are those of the node's clock that never steps back.
struct EndpointHealth {
    std::optional<std::uint64_t> head{};
    std::optional<MonotonicTime> head_seen{};
    std::optional<Hash32> genesis{};
    std::optional<MonotonicTime> identified{};  ///< chain id and genesis were right then; none: to be checked
    std::optional<Error> refusal{};             ///< why it must not be used: another chain
    MonotonicTime retry_at{};                   ///< not asked before that
    MonotonicTime distrusted_until{};
    unsigned failures_in_a_row = 0;
    unsigned cut_off_in_a_row = 0;  ///< calls that nobody waited for any longer, since the last answer
    std::int64_t latency_us = 0;    ///< exponentially weighted average
    std::uint64_t calls = 0;
    std::uint64_t failures = 0;
    std::uint64_t disagreements = 0;
    std::string last_error{};
};

/// Control thread. Counts and times every call that goes through it. After a failure the endpoint has to identify
/// itself again, after a pause that grows with each further failure. Calls that were cut off because others had
/// answered count as one failure when there are several in a row. Logs and receipts that are too large are no failure,
/// and how long large ones take says nothing about the others.
class MonitoredEndpoint final : public RpcEndpoint {
public:
    struct Pauses {
        milliseconds first{250};
        milliseconds longest{5'000};
    };
    /// `clock` must outlive it.
    MonitoredEndpoint(std::string name, std::unique_ptr<RpcEndpoint> endpoint, Pauses pauses, const Clock& clock)
        : name_(std::move(name)), endpoint_(std::move(endpoint)), pauses_(pauses), clock_(clock) {}

    [[nodiscard]] Task<Result<RpcReply>> exchange(RpcCall call) override;
    [[nodiscard]] Task<Result<std::vector<Result<boost::json::value>>>> batch(std::vector<RpcCall> calls) override;

    /// A failure that only its caller could see: an answer without sense.
    void note_failure(const Error& error);
    /// Others contradicted what it said. For `distrust` it is asked last.
    void note_disagreement(const std::string& about, milliseconds distrust);

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] EndpointHealth& health() { return health_; }
    [[nodiscard]] const EndpointHealth& health() const { return health_; }

private:
    /// Times one call; what is cut off counts with the time it has taken so far.
    class Watch;

    std::string name_;
    std::unique_ptr<RpcEndpoint> endpoint_;
    Pauses pauses_;
    const Clock& clock_;
    EndpointHealth health_;
};

}  // namespace myst::chain
