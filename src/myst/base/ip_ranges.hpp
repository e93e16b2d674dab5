// Which IPv4 addresses are ordinary hosts of the internet, and which mean something else. The one list of the project:
// exits forward nothing to a special range, and nobody is pointed at one by another node.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace myst {

/// An IPv4 network; addresses are numbers, 192.0.2.1 = 0xc0000201. `prefix` is 1 … 32.
struct Ipv4Range {
    std::uint32_t first = 0;
    std::uint8_t prefix = 32;
    [[nodiscard]] constexpr bool contains(std::uint32_t address) const {
        return ((address ^ first) >> (32U - prefix)) == 0;
    }
};

/// The IANA special-purpose registry (RFC 6890 and its updates), multicast and the reserved block, as far as they are
/// not reachable from everywhere; and what clouds answer on the public-looking addresses of their own machines.
/// Metadata services elsewhere are inside: 169.254.0.0/16 (AWS, Azure, Google, IBM, OpenStack and most others),
/// 100.100.100.200 (Alibaba), 192.0.0.192 (Oracle).
inline constexpr std::array kSpecialIpv4Ranges{
    Ipv4Range{0x00000000, 8},   // 0.0.0.0/8       this network, RFC 791
    Ipv4Range{0x0a000000, 8},   // 10.0.0.0/8      private, RFC 1918
    Ipv4Range{0x64400000, 10},  // 100.64.0.0/10   shared address space, RFC 6598
    Ipv4Range{0x7f000000, 8},   // 127.0.0.0/8     loopback, RFC 1122
    Ipv4Range{0xa83f8110, 32},  // 168.63.129.16   Azure's host service (agent, DNS, DHCP); public, but never routed
    Ipv4Range{0xa9fe0000, 16},  // 169.254.0.0/16  link-local, RFC 3927
    Ipv4Range{0xac100000, 12},  // 172.16.0.0/12   private, RFC 1918
    Ipv4Range{0xc0000000, 24},  // 192.0.0.0/24    protocol assignments, RFC 6890
    Ipv4Range{0xc0000200, 24},  // 192.0.2.0/24    documentation, RFC 5737
    Ipv4Range{0xc0586300, 24},  // 192.88.99.0/24  6to4 relays, withdrawn by RFC 7526
    Ipv4Range{0xc0a80000, 16},  // 192.168.0.0/16  private, RFC 1918
    Ipv4Range{0xc6120000, 15},  // 198.18.0.0/15   benchmarks, RFC 2544
    Ipv4Range{0xc6336400, 24},  // 198.51.100.0/24 documentation, RFC 5737
    Ipv4Range{0xcb007100, 24},  // 203.0.113.0/24  documentation, RFC 5737
    Ipv4Range{0xe0000000, 4},   // 224.0.0.0/4     multicast, RFC 5771
    Ipv4Range{0xf0000000, 4},   // 240.0.0.0/4     reserved, RFC 1112, and broadcast
};

/// Where the addresses inside tunnels come from: shared address space is for operators of networks, not for a home
/// network or the internet, so that it collides with neither.
inline constexpr Ipv4Range kTunnelRange{0x64400000, 10};

[[nodiscard]] constexpr bool is_special_ipv4(std::uint32_t address) {
    return std::any_of(kSpecialIpv4Ranges.begin(), kSpecialIpv4Ranges.end(),
                       [address](const Ipv4Range& range) { return range.contains(address); });
}

}  // namespace myst
