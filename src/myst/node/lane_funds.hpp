// What a consumer may still promise to a provider, from the chain and from its own vouchers.
#pragma once

#include "myst/node/context.hpp"

namespace myst::node {

/// How a lane stands before a session.
struct LaneFunds {
    std::uint32_t epoch = 0;
    Amount issued;     ///< highest total this node remembers to have signed in this epoch
    Amount cap;        ///< highest cap of a voucher that it remembers to have signed in this epoch
    Amount drawn;      ///< what the chain says was paid out; above `issued` only if this node forgot, or the chain lies
    Amount spendable;  ///< by how much the total may grow beyond `issued`
};

/// Reads the lane of this node's signer to `payee`. What vouchers let other providers draw or set aside, beyond what is
/// set aside for them, is not spendable. unavailable if the lane's epoch is not `epoch`, or if the chain cannot be
/// read.
[[nodiscard]] Task<Result<LaneFunds>> read_lane_funds(Context& context, Address payee, std::uint32_t epoch);

}  // namespace myst::node
