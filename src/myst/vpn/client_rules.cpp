#include "myst/vpn/client_rules.hpp"

#include <fmt/format.h>

namespace myst::vpn {

std::string client_table(const ClientRules& rules) {
    constexpr const char* kTable = R"(table inet {table} {{
  counter tunnel_up {{
  }}
  counter server_up {{
  }}
  counter accepted_down {{
  }}
  counter arrived_down {{
  }}
  set client {{
    type ipv4_addr
  }}
  set server {{
    type ipv4_addr
  }}
  chain arriving {{
    type filter hook prerouting priority raw; policy accept;
    iifname != "{link}" ip daddr @client fib saddr type != local drop
    iifname "{link}" ip saddr != @server counter name "arrived_down"
  }}
  chain restore_mark {{
    type filter hook prerouting priority mangle; policy accept;
    ct mark {mark} meta mark set ct mark
  }}
  chain save_mark {{
    type filter hook postrouting priority mangle; policy accept;
    meta mark {mark} ct mark set meta mark
  }}
  chain input {{
    type filter hook input priority filter; policy accept;
    iifname "{link}" jump from_tunnel
  }}
  chain forward {{
    type filter hook forward priority filter; policy accept;
    iifname "{link}" jump from_tunnel
  }}
  chain from_tunnel {{
    ct state {{ new, invalid }} drop
    ip saddr != @server counter name "accepted_down"
  }}
  chain name_service {{
    type filter hook postrouting priority filter; policy accept;
    oifname {{ "{link}", "lo" }} accept
    meta mark != {mark} meta l4proto {{ tcp, udp }} th dport {{ 53, 853 }} drop
  }}
  chain leaving {{
    type filter hook postrouting priority 300; policy accept;
    oifname "{link}" counter name "tunnel_up"
    oifname "{link}" ip daddr @server counter name "server_up"
  }}
}}
)";
    return fmt::format(kTable, fmt::arg("table", rules.table), fmt::arg("link", rules.link),
                       fmt::arg("mark", rules.mark));
}

std::string client_addresses(const std::string& table, Ipv4 client, Ipv4 server) {
    constexpr const char* kChange = "flush set inet {0} {1}\nadd element inet {0} {1} {{ {2} }}\n";
    return fmt::format(kChange, table, "client", client.to_string()) +
           fmt::format(kChange, table, "server", server.to_string());
}

}  // namespace myst::vpn
