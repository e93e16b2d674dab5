// WireGuard in the Linux kernel, configured through its generic netlink family.
#pragma once

#include <memory>
#include <string>

#include "myst/sys/netlink_socket.hpp"
#include "myst/vpn/wireguard_device.hpp"

namespace myst::vpn {

/// What follows the generic netlink header in a request; for tests, and for KernelWireguard.
void put_device(sys::NetlinkMessage& message, const std::string& name, const DeviceSettings& settings);
[[nodiscard]] Result<> put_peer(sys::NetlinkMessage& message, const std::string& name, const PeerSettings& peer);
void put_removal(sys::NetlinkMessage& message, const std::string& name, const TunnelKey& key);
/// Adds what one message of an answer says to `status`.
void read_device(BytesView attributes, DeviceStatus& status);

/// Whether this kernel has WireGuard; loads its module if need be.
[[nodiscard]] Result<> check_kernel_wireguard();
/// Creates a kernel interface; unavailable if this kernel has no WireGuard.
[[nodiscard]] Result<std::unique_ptr<WireguardDevice>> create_kernel_wireguard(const std::string& name);

}  // namespace myst::vpn
