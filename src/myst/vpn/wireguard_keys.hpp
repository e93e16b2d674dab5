// WireGuard's key pairs (Curve25519).
#pragma once

#include "myst/base/rng.hpp"
#include "myst/ports/tunnel.hpp"

namespace myst::vpn {

/// A fresh, clamped private key and its public key.
[[nodiscard]] ports::TunnelDriver::KeyPair make_key_pair(Rng& rng);
/// The public key that belongs to a private one.
[[nodiscard]] TunnelKey public_key_of(const Secret<32>& private_key);

}  // namespace myst::vpn
