// The packet filter of a provider's exit, as nft text. Pure: what comes in has been validated.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "myst/base/bytes.hpp"
#include "myst/vpn/ip_address.hpp"

namespace myst::vpn {

/// The table inside the exit namespace.
inline constexpr const char* kExitTable = "myst_exit";

/// Flows of all peers together where nothing is known of the host's connection table.
inline constexpr std::uint64_t kDefaultMaxFlows = 32'768;

/// How many flows all peers may have together: half of the host's connection table. `table_size` is the kernel's
/// setting as text, empty if it cannot be read; zero means that the kernel has no bound.
[[nodiscard]] std::uint64_t max_flows(std::string_view table_size);

struct ExitRules {
    std::string tunnel_link;  ///< WireGuard interface
    std::string outer_link;   ///< towards the host
    Ipv4 server_address;
    std::vector<Ipv4Network> denied;             ///< besides the special ranges of base/ip_ranges.hpp
    std::vector<Ipv4Network> allowed;            ///< exceptions to denied and special ranges
    std::vector<Ipv4> own_addresses;             ///< the host's; no exception reaches them
    std::uint64_t max_flows = kDefaultMaxFlows;  ///< of all peers together
    bool metered = true;                         ///< each peer has a quota and counters in the table
};

/// Filter chains, no peers. IPv6 is dropped as a whole.
[[nodiscard]] std::string exit_table(const ExitRules& rules);
/// Lets a peer's address in and out. In a metered table what follows comes first, in the same transaction.
[[nodiscard]] std::string admit_rules(Ipv4 address);
[[nodiscard]] std::string dismiss_rules(Ipv4 address);
/// A peer's counters, zeroed, and its gate, closed. Removed after the address, in the same transaction.
[[nodiscard]] std::string add_meter_rules(const SessionId& id, Ipv4 address);
[[nodiscard]] std::string remove_meter_rules(const SessionId& id, Ipv4 address);

/// Names of a peer's objects in the exit table.
[[nodiscard]] std::string up_counter(const SessionId& id);
[[nodiscard]] std::string down_counter(const SessionId& id);
[[nodiscard]] std::string dropped_counter(const SessionId& id);
[[nodiscard]] std::string quota_name(const SessionId& id);

/// Which peer and direction a counter belongs to.
struct CounterName {
    SessionId id;
    char kind = 0;  ///< 'u' up, 'd' down, 'x' dropped at the gate
};
[[nodiscard]] std::optional<CounterName> parse_counter_name(const std::string& name);

/// The table in the host's namespace: address translation, and a wall around the host itself.
struct NatRules {
    std::string table;
    std::string inner_link;  ///< interface towards the exit namespace
    Ipv4Network pool;
    std::string uplink{};             ///< empty: wherever the routing table says
    std::uint16_t listen_port = 0;    ///< WireGuard's; never used as a translated source port
    std::uint32_t mark = 0;           ///< put on forwarded packets: they bypass a VPN connection of the host itself
    bool forwarding_was_off = false;  ///< then nothing but the exit's traffic is forwarded
};
[[nodiscard]] std::string nat_table(const NatRules& rules);

}  // namespace myst::vpn
