// EIP-2612: spending approval for a token by signature instead of by transaction.
#pragma once

#include "myst/base/bytes.hpp"
#include "myst/base/uint256.hpp"

namespace myst::codec {

/// Lets `spender` take `value` (in the token's smallest unit) from `owner`, until `deadline` (Unix seconds).
struct Permit {
    Address owner;
    Address spender;
    Uint256 value;
    Uint256 nonce;  ///< the token's nonces(owner)
    Uint256 deadline;
};

/// What `owner` signs; the separator is the token's own DOMAIN_SEPARATOR().
[[nodiscard]] Hash32 permit_digest(const Hash32& token_domain_separator, const Permit& permit);

}  // namespace myst::codec
