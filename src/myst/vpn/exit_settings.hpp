// How an exit is set up, checked before anything is done with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "myst/ports/tunnel.hpp"
#include "myst/vpn/ip_address.hpp"

namespace myst::vpn {

/// ports::ExitSettings with every field checked.
struct CheckedExit {
    std::uint16_t listen_port = 0;
    Ipv4Network pool;
    Ipv4 server_address;
    std::vector<Ipv4Network> denied;
    std::vector<Ipv4Network> allowed;
    std::string uplink;
    std::uint16_t mtu = 0;
};
/// invalid_argument, with a cure, for what is malformed or out of range.
[[nodiscard]] Result<CheckedExit> check_exit(const ports::ExitSettings& settings);

}  // namespace myst::vpn
