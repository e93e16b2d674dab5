// Where the WireGuard driver finds and keeps its things.
#pragma once

#include <string>
#include <vector>

#include "myst/vpn/wireguard_device.hpp"

namespace myst::vpn {

struct DriverSettings {
    std::string state_directory = "/var/lib/mystd/vpn";  ///< created with mode 0700; survives restarts
    std::string resolv_conf = "/etc/resolv.conf";        ///< empty: leave DNS alone
    /// Public IPv4 addresses of resolvers for connections whose provider offers none; used through the tunnel.
    std::vector<std::string> dns{"9.9.9.9", "1.1.1.1"};
    WireguardChoice wireguard;
};

}  // namespace myst::vpn
