// Choosing interface names that nobody uses.
#pragma once

#include <memory>
#include <string>

#include "myst/sys/netlink.hpp"
#include "myst/vpn/tunnel_record.hpp"
#include "myst/vpn/wireguard_device.hpp"

namespace myst::vpn {

/// Interfaces are numbered; more than this at a time is refused.
inline constexpr int kMaxTunnels = 100;

/// The smallest number from `first` for which neither the interfaces "<prefix><n>" exist nor a program serves one;
/// limit_exceeded if there is none. Another process may take it before the caller does.
[[nodiscard]] Result<int> free_number(sys::Netlink& links, int first, const std::vector<std::string>& prefixes);

/// The start of a record: owner and namespace of the calling thread.
[[nodiscard]] Result<TunnelRecord> begin_record();

/// Labels an interface with its owner.
[[nodiscard]] Result<> label_link(sys::Netlink& links, const std::string& name, const ProcessMark& owner);

}  // namespace myst::vpn
