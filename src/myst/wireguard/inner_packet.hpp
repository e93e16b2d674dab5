// What a packet inside the tunnel says of itself.
#pragma once

#include <cstddef>
#include <optional>

#include "myst/wireguard/endpoint.hpp"

namespace myst::wireguard {

struct InnerPacket {
    IpAddress source;
    IpAddress destination;
    std::size_t length = 0;  ///< header included; what follows in the plaintext is padding
};

/// None: neither IPv4 nor IPv6, or it claims to be shorter than its header or longer than the plaintext.
[[nodiscard]] std::optional<InnerPacket> parse_inner_packet(BytesView plaintext);

}  // namespace myst::wireguard
