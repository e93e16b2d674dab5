#include "myst/vpn/exit_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "myst/base/amount.hpp"
#include "myst/base/ip_ranges.hpp"

namespace myst::vpn {
namespace {

// New connections that one peer may open: 50 per second after a burst, 2000 at a time. Then those of all peers.
constexpr const char* kFlowLimits = R"(
    ct state new update @flow_rate {{ ip saddr limit rate over 50/second burst 250 packets }} drop
    ct state new add @flow_count {{ ip saddr ct count over 2000 }} drop
    ct state new ct count over {max_flows} drop)";

// New connections to the provider itself, whose sessions use four at a time: they are on no meter, and each stays in
// the connection table for two minutes after its end.
constexpr const char* kGardenLimits = R"(
    iifname "{tunnel}" ip daddr {server} meta l4proto tcp ct state new update @garden_rate {{ ip saddr limit rate over 10/second burst 50 packets }} drop
    iifname "{tunnel}" ip daddr {server} meta l4proto tcp ct state new add @garden_count {{ ip saddr ct count over 64 }} drop)";

std::string set_of_networks(const char* name, const std::vector<std::string>& elements) {
    std::string text = fmt::format("  set {} {{\n    type ipv4_addr; flags interval; auto-merge\n", name);
    if (!elements.empty()) text += fmt::format("    elements = {{ {} }}\n", fmt::join(elements, ", "));
    return text + "  }\n";
}

std::vector<std::string> texts(const std::vector<Ipv4Network>& networks) {
    std::vector<std::string> list;
    for (const auto& network : networks) list.push_back(network.to_string());
    return list;
}

std::string named(char kind, const SessionId& id) {
    return kind + id.hex();
}

/// The maps from a peer's address to its objects.
struct PeerMap {
    const char* map;
    const char* type;
    char kind;
};
constexpr PeerMap kPeerMaps[] = {
    {"up_of", "counter", 'u'}, {"down_of", "counter", 'd'}, {"dropped_of", "counter", 'x'}, {"quota_of", "quota", 'q'}};

/// The gate comes before the counters: what it drops is not counted as forwarded. The quota itself does count what it
/// drops; ExitMeters makes up for that with the "dropped" counter. `side` is saddr or daddr, whichever is the peer's.
std::string gate(const ExitRules& rules, const char* side, const char* counter) {
    if (!rules.metered) return "accept";
    return fmt::format(
        "quota name ip {0} map @quota_of counter name ip {0} map @dropped_of drop\n"
        "    counter name ip {0} map @{1} accept",
        side, counter);
}

std::string sets(const ExitRules& rules) {
    std::vector<Ipv4Network> denied = rules.denied;
    for (const auto& range : kSpecialIpv4Ranges) denied.push_back({.address = {range.first}, .prefix = range.prefix});
    std::vector<std::string> own;
    for (const auto& address : rules.own_addresses) own.push_back(address.to_string());
    std::string text = set_of_networks("denied", texts(denied)) + set_of_networks("allowed", texts(rules.allowed)) +
                       set_of_networks("own", own);
    text += "  set peers {\n    type ipv4_addr\n  }\n";
    for (const auto* kind : {"flow", "garden"}) {
        text += fmt::format(
            "  set {}_rate {{\n    type ipv4_addr; size 65536; flags dynamic,timeout; timeout 1m\n  }}\n", kind);
        text += fmt::format("  set {}_count {{\n    type ipv4_addr; size 65536; flags dynamic\n  }}\n", kind);
    }
    if (!rules.metered) return text;
    for (const auto& each : kPeerMaps) {
        text += fmt::format("  map {} {{\n    type ipv4_addr : {}\n  }}\n", each.map, each.type);
    }
    return text;
}

}  // namespace

std::uint64_t max_flows(std::string_view table_size) {
    const auto size = parse_u64(table_size);
    // nft reads 32 bits; of a table of one entry, half is one.
    constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
    if (!size || *size == 0) return kDefaultMaxFlows;
    return std::clamp<std::uint64_t>(*size / 2, 1, kMost);
}

std::string exit_table(const ExitRules& rules) {
    constexpr const char* kChains = R"(
  chain up {{
    ip saddr != @peers drop
    ip daddr @own drop
    tcp dport 25 drop
    ip daddr @allowed goto up_gate
    ip daddr @denied drop
    goto up_gate
  }}
  chain up_gate {{
    ct state invalid drop{limits}
    {up_gate}
  }}
  chain down {{
    ip daddr != @peers drop
    ct state != {{ established, related }} drop
    {down_gate}
  }}
  chain forward {{
    type filter hook forward priority filter; policy drop;
    meta nfproto != ipv4 drop
    tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
    iifname "{tunnel}" oifname "{outer}" jump up
    iifname "{outer}" oifname "{tunnel}" jump down
  }}
  chain input {{
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    iifname "{tunnel}" ip saddr != @peers drop{garden_limits}
    iifname "{tunnel}" ip daddr {server} meta l4proto tcp accept
    iifname "{tunnel}" ip daddr {server} icmp type echo-request limit rate 100/second accept
    ct state {{ established, related }} accept
  }}
}}
)";
    return fmt::format("table inet {} {{\n{}", kExitTable, sets(rules)) +
           fmt::format(kChains, fmt::arg("limits", fmt::format(kFlowLimits, fmt::arg("max_flows", rules.max_flows))),
                       fmt::arg("garden_limits", fmt::format(kGardenLimits, fmt::arg("tunnel", rules.tunnel_link),
                                                             fmt::arg("server", rules.server_address.to_string()))),
                       fmt::arg("up_gate", gate(rules, "saddr", "up_of")),
                       fmt::arg("down_gate", gate(rules, "daddr", "down_of")), fmt::arg("tunnel", rules.tunnel_link),
                       fmt::arg("outer", rules.outer_link), fmt::arg("server", rules.server_address.to_string()));
}

std::string admit_rules(Ipv4 address) {
    return fmt::format("add element inet {} peers {{ {} }}\n", kExitTable, address.to_string());
}

std::string dismiss_rules(Ipv4 address) {
    return fmt::format("delete element inet {} peers {{ {} }}\n", kExitTable, address.to_string());
}

std::string add_meter_rules(const SessionId& id, Ipv4 address) {
    std::string text;
    for (const auto& each : kPeerMaps) {
        const char* content = each.kind == 'q' ? " { over 0 bytes }" : "";
        text += fmt::format("add {} inet {} {}{}\n", each.type, kExitTable, named(each.kind, id), content);
    }
    for (const auto& each : kPeerMaps) {
        text += fmt::format("add element inet {} {} {{ {} : \"{}\" }}\n", kExitTable, each.map, address.to_string(),
                            named(each.kind, id));
    }
    return text;
}

std::string remove_meter_rules(const SessionId& id, Ipv4 address) {
    std::string text;
    for (const auto& each : kPeerMaps) {
        text += fmt::format("delete element inet {} {} {{ {} }}\n", kExitTable, each.map, address.to_string());
    }
    for (const auto& each : kPeerMaps) {
        text += fmt::format("delete {} inet {} {}\n", each.type, kExitTable, named(each.kind, id));
    }
    return text;
}

std::string up_counter(const SessionId& id) {
    return named('u', id);
}

std::string down_counter(const SessionId& id) {
    return named('d', id);
}

std::string dropped_counter(const SessionId& id) {
    return named('x', id);
}

std::string quota_name(const SessionId& id) {
    return named('q', id);
}

std::optional<CounterName> parse_counter_name(const std::string& name) {
    if (name.size() != 1 + 2 * SessionId::kSize) return std::nullopt;
    auto id = SessionId::parse(std::string_view(name).substr(1));
    if (!id) return std::nullopt;
    return CounterName{.id = *id, .kind = name[0]};
}

std::string nat_table(const NatRules& rules) {
    // Translated ports stay in the half that does not hold the listen port: nobody behind the NAT can make a packet
    // that seems to come from the tunnel's own port.
    const char* ports = rules.listen_port < 32768 ? "32768-65535" : "1024-32767";
    const std::string wrong_uplink = rules.uplink.empty() ? ""
                                                          : fmt::format("    iifname \"{}\" oifname != \"{}\" drop\n",
                                                                        rules.inner_link, rules.uplink);
    const std::string others = rules.forwarding_was_off
                                   ? fmt::format("    iifname != \"{0}\" oifname != \"{0}\" drop\n", rules.inner_link)
                                   : "";
    constexpr const char* kTable = R"(table inet {table} {{
  chain bypass {{
    type filter hook prerouting priority mangle; policy accept;
    iifname "{inner}" meta mark set {mark}
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname "{inner}" drop
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
{others}{wrong_uplink}    iifname "{inner}" oifname "{inner}" drop
    iifname "{inner}" ip saddr != {pool} drop
    iifname "{inner}" meta nfproto != ipv4 drop
    oifname "{inner}" ct state != {{ established, related }} drop
    iifname "{inner}" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
    oifname "{inner}" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
  }}
  chain source {{
    type nat hook postrouting priority srcnat; policy accept;
    iifname "{inner}" meta l4proto {{ tcp, udp }} masquerade to :{ports} fully-random
    iifname "{inner}" masquerade
  }}
}}
)";
    return fmt::format(kTable, fmt::arg("table", rules.table), fmt::arg("inner", rules.inner_link),
                       fmt::arg("mark", rules.mark), fmt::arg("others", others), fmt::arg("wrong_uplink", wrong_uplink),
                       fmt::arg("pool", rules.pool.to_string()), fmt::arg("ports", ports));
}

}  // namespace myst::vpn
