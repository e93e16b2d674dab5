// WireGuard in this process: a thread of the data plane (docs/dataplane.md) behind WireguardDevice.
#pragma once

#include <memory>
#include <string>

#include "myst/base/rng.hpp"
#include "myst/vpn/ip_address.hpp"
#include "myst/vpn/wireguard_device.hpp"
#include "myst/wireguard/meter.hpp"

namespace myst::vpn {

/// Whether this machine can carry interfaces in a program; unavailable without /dev/net/tun.
[[nodiscard]] Result<> check_tun();
/// Creates an interface in the calling thread's namespace. It goes with the object, and with the process. `rng`
/// outlives it. already_exists if the name is in use.
[[nodiscard]] Result<std::unique_ptr<WireguardDevice>> create_builtin_wireguard(const std::string& name, Rng& rng);

/// For a peer of such an interface. Packets from and to `garden` are free. With a gate, which is closed at first,
/// others pass as far as there is an allowance; without, they are only counted.
[[nodiscard]] std::shared_ptr<wireguard::Meter> make_meter(Ipv4 garden, bool gated);

}  // namespace myst::vpn
