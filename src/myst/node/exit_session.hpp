// One session that this node sells, as it stands in memory.
#pragma once

#include "myst/base/token_bucket.hpp"
#include "myst/node/context.hpp"
#include "myst/pay/payee.hpp"

namespace myst::node {

struct ExitSession {
    SessionId id;
    NodeKey consumer;            ///< key of the envelopes
    std::string client_address;  ///< inside the tunnel
    pay::PayeeSession payee;
    pay::Coverage coverage;  ///< what the chain guaranteed when last asked
    TokenBucket frames;      ///< how fast its payment streams are read
    MonotonicTime coverage_at{};
    UnixTime started_at{};
    UnixTime requested{};                   ///< the request's own time
    std::optional<MonotonicTime> opened{};  ///< first HELLO: from here on time is charged
    MonotonicTime last_frame{};
    MonotonicTime funded_at{};             ///< when the gate was last seen open, or a new payment was credited since
    std::optional<pay::Frame> verified{};  ///< the last payment whose signature was found to be the payer's
    std::uint64_t stream = 0;              ///< counts payment streams; only the newest may act
    ports::TrafficCounters traffic{};
    std::uint64_t vouchers = 0;   ///< accepted
    std::uint64_t allowance = 0;  ///< as given to the gate
    bool setting_gate = false;
    unsigned storing = 0;  ///< vouchers on their way to the disk
    MonotonicTime saved{};
    bool ended = false;

    [[nodiscard]] milliseconds connected(MonotonicTime now) const;
    [[nodiscard]] Amount cost(MonotonicTime now) const;
    /// Whether the gate lets another packet of up to `packet` bytes pass.
    [[nodiscard]] bool is_gate_open(std::uint64_t packet) const;
    /// For the ledger; `end_reason` empty while the session is open.
    [[nodiscard]] ports::SessionRecord record(const Clock& clock, const Address& provider,
                                              std::string end_reason) const;
    [[nodiscard]] ProvidedSession view(const Clock& clock) const;
};

/// What the chain guarantees, as the payment rules want it.
[[nodiscard]] pay::Coverage coverage_of(const ports::LaneState& lane, const ports::AccountState& account);

/// The same view of a session that is over.
[[nodiscard]] ProvidedSession view_of(const ports::SessionRecord& record);

}  // namespace myst::node
