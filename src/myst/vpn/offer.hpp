// What a provider offers, checked before anything is done with it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "myst/ports/tunnel.hpp"
#include "myst/vpn/ip_address.hpp"
#include "myst/vpn/wireguard_device.hpp"

namespace myst::vpn {

/// A TunnelOffer whose every field has been checked: it comes from the other side.
struct CheckedOffer {
    TunnelKey server_key;
    Endpoint endpoint;
    Ipv4 client_address;
    Ipv4 server_address;
    std::vector<std::string> dns;  ///< may be empty
    std::uint16_t mtu = 0;
};
/// What can be said without looking at this machine: inner addresses lie in kTunnelRange and are not the endpoint's;
/// resolvers are public or the provider's inner address; of more than three the first three are used. Anything else is
/// invalid_argument.
[[nodiscard]] Result<CheckedOffer> check_offer(const ports::TunnelOffer& offer);

}  // namespace myst::vpn
