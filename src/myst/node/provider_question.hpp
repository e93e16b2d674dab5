// Asking a provider something under a key made for it alone: sealed, through the relays, and waiting for the answer.
#pragma once

#include "myst/node/context.hpp"
#include "myst/node/envelope.hpp"
#include "myst/node/proposal.hpp"

namespace myst::node {

/// A question to the author of an offer.
struct ProviderQuestion {
    NodeKey provider;
    std::vector<std::string> relays;  ///< where he listens, as his offer says
    crypto::PrivateKey key;           ///< made for this question alone
    Envelope content;
    std::function<bool(const Envelope&)> is_answer;  ///< looks at envelopes that the provider has sealed for `key`
};

/// Sends it through the connected relays and those that the offer names, and waits at most `limit`, once a relay has
/// taken it, for the first answer. timeout: none came; unavailable: no relay took it.
[[nodiscard]] Task<Result<Envelope>> ask_provider(Context& context, ProviderQuestion question, milliseconds limit);

}  // namespace myst::node
