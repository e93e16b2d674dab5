// Which packets may be joined into one super-packet.
#pragma once

#include <cstddef>
#include <cstdint>

#include "myst/base/bytes.hpp"

namespace myst::wireguard {

/// What the coalescer wants to know of a packet. Refers to its bytes.
struct JoinablePacket {
    enum class Kind {
        foreign,   ///< its flow cannot be told
        solitary,  ///< of a known flow, but not to be joined with anything
        joinable,
    };

    Kind kind = Kind::foreign;
    BytesView bytes{};
    bool verified = false;  ///< its checksums are right
    std::uint8_t protocol = 0;
    std::size_t ip_header = 0;
    std::size_t header = 0;  ///< of IP and transport
    std::uint32_t sequence = 0;
    std::uint16_t id = 0;  ///< of IPv4

    [[nodiscard]] bool is_tcp() const;
    [[nodiscard]] std::size_t payload() const { return bytes.size() - header; }
    /// TCP: no other segment may follow in the same super-packet.
    [[nodiscard]] bool ends_item() const;
};

/// Looks at one inner packet, which may be anything.
[[nodiscard]] JoinablePacket examine(BytesView bytes);

/// Whether both are IP packets of one version between the same addresses, in the same direction.
[[nodiscard]] bool same_addresses(BytesView a, BytesView b);
/// Whether both, which are not foreign, have the same addresses, protocol and ports.
[[nodiscard]] bool same_flow(const JoinablePacket& a, const JoinablePacket& b);
/// Whether the headers of two packets of one flow differ only where those of neighbours in a super-packet do: lengths,
/// checksums, IPv4 identification, TCP sequence, PSH and FIN.
[[nodiscard]] bool headers_match(const JoinablePacket& a, const JoinablePacket& b);

}  // namespace myst::wireguard
