// Work for own records (NIP-13), so that relays take them that do not know this node as a registered provider.
#pragma once

#include "myst/node/context.hpp"

namespace myst::node {

/// Adds work of `context.pow_bits` to a record and signs it with the node key; without bits it only signs. Takes 2^bits
/// tries on the average, in the worker pool, in short pieces between which other work gets its turn. unavailable in the
/// case, as good as impossible, that 64 times as many do not suffice.
[[nodiscard]] Task<Result<codec::Event>> sign_with_work(Context& context, codec::Event event);

}  // namespace myst::node
