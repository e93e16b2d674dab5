// The packet filter of a consumer's connection, as nft text. Pure: what comes in has been validated.
#pragma once

#include <cstdint>
#include <string>

#include "myst/vpn/ip_address.hpp"

namespace myst::vpn {

struct ClientRules {
    std::string table;
    std::string link;        ///< the tunnel interface
    std::uint32_t mark = 0;  ///< of packets that bypass the tunnel
};

/// Counters in the table; bytes of IP packets. What goes into the tunnel, and the part of it for the provider itself
/// (payment frames), which nobody pays for.
inline constexpr const char* kTunnelUp = "tunnel_up";
inline constexpr const char* kServerUp = "server_up";
/// What comes out of the tunnel, belongs to a connection of this side and is not from the provider itself. Packets that
/// this side drops are not in it, so that a provider cannot sell what nobody asked for.
inline constexpr const char* kAcceptedDown = "accepted_down";
/// What arrives from the tunnel and is not from the provider itself, fragments put together.
inline constexpr const char* kArrivedDown = "arrived_down";

/// New connections from the tunnel are refused; packets to the tunnel address that come in elsewhere are dropped; name
/// queries (ports 53 and 853) without the mark leave through the tunnel or not at all; replies to packets with the mark
/// get it back, so that strict reverse path filters let them in. The addresses are those of `client_addresses`.
[[nodiscard]] std::string client_table(const ClientRules& rules);
/// Puts the addresses in force, in one transaction; counters go on.
[[nodiscard]] std::string client_addresses(const std::string& table, Ipv4 client, Ipv4 server);

}  // namespace myst::vpn
