// Asking a provider for a session: a sealed request through the relays, and waiting for its answer.
#pragma once

#include "myst/node/context.hpp"
#include "myst/node/envelope.hpp"
#include "myst/node/proposal.hpp"

namespace myst::node {

/// What both sides agreed on.
struct AgreedSession {
    SessionAccept accept;
    ports::TunnelKeyPair keys;
};

/// Sends a request of the time `created` under a key made for it alone and waits at most `limit` for acceptance. A
/// refusal comes back as an Error with the provider's reason: insufficient_funds, limit_exceeded, failed_precondition
/// or unavailable.
[[nodiscard]] Task<Result<AgreedSession>> request_session(Context& context, Proposal proposal, UnixTime created,
                                                          milliseconds limit);

}  // namespace myst::node
