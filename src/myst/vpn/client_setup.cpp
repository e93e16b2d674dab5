// Setting up and changing a consumer's connection; part of client_interface.hpp.
#include <unistd.h>

#include <algorithm>

#include "myst/sys/ethtool.hpp"
#include "myst/sys/netns.hpp"
#include "myst/sys/nftables.hpp"
#include "myst/sys/sysctl.hpp"
#include "myst/vpn/builtin_wireguard.hpp"
#include "myst/vpn/client_interface.hpp"
#include "myst/vpn/client_rules.hpp"
#include "myst/vpn/resolv_conf.hpp"

namespace myst::vpn {
namespace {

constexpr std::uint32_t kMainTable = 254;
constexpr std::uint32_t kLastResort = 0x7fffffff;
constexpr std::uint8_t kWholeAddress = 32;
constexpr seconds kKeepalive{25};
constexpr std::uint16_t kNameServicePorts[] = {53, 853};
// Routing rules in the order in which the kernel asks them: the daemon's own traffic first, so that no offer can move
// it; see docs/vpn.md.
constexpr std::uint32_t kOwnTraffic = 0;
constexpr std::uint32_t kPins = 1;
constexpr std::uint32_t kLocalNetworks = 2;
constexpr std::uint32_t kEverything = 3;
// Main-table routes that cover this much of the address space do not win over the tunnel: a hostile DHCP server could
// otherwise pull traffic out of it with 0.0.0.0/1. Networks of a real LAN are smaller.
constexpr std::uint32_t kWidestRoute4 = 7;
constexpr std::uint32_t kWidestRoute6 = 6;

bool has_ipv6() {
    return ::access("/proc/sys/net/ipv6", F_OK) == 0;
}

Result<sys::Nftables> tables_here() {
    auto network = sys::NetworkNamespace::current();
    if (!network) return forward_error(network);
    return sys::Nftables::open(*network);
}

}  // namespace

Result<> ClientInterface::set_up_filter(const CheckedOffer& offer) {
    auto tables = tables_here();
    if (!tables) return forward_error(tables);
    const auto& table = record_.tables.front();
    if (auto cleared = tables->delete_table(table); !cleared) return cleared;
    const auto rules = client_table({.table = table, .link = record_.device, .mark = ports::kBypassMark});
    const auto addresses = client_addresses(table, offer.client_address, offer.server_address);
    if (auto applied = tables->apply(rules + addresses); !applied) return applied;
    auto objects = sys::NftObjects::open(table);
    if (!objects) return forward_error(objects);
    objects_ = std::move(*objects);
    if (auto set = records_.enable_sysctl(record_, "net/ipv4/conf/all/src_valid_mark"); !set) return set;
    return records_.enable_sysctl(record_, "net/ipv4/conf/all/arp_ignore");
}

Result<> ClientInterface::set_up_link(sys::Netlink& links, const CheckedOffer& offer) {
    auto link = links.link(record_.device);
    if (!link) return forward_error(link);
    link_index_ = link->index;
    if (auto labelled = links.set_alias(link_index_, record_.owner.label()); !labelled) return labelled;
    if (device_->counting() == Counting::filter) {  // which must see single packets
        if (auto set = links.set_single_segment(link_index_); !set) return set;
        if (auto set = sys::disable_segmentation_offload(record_.device); !set) return set;
    }
    if (has_ipv6()) {  // no neighbour discovery of its own, which would be counted
        auto disabled = sys::write_sysctl("net/ipv6/conf/" + record_.device + "/disable_ipv6", "1");
        if (!disabled) return disabled;
    }
    if (auto set = links.set_mtu(link_index_, offer.mtu); !set) return set;
    auto added = links.add_address(link_index_, offer.client_address.to_string(), kWholeAddress);
    if (!added) return added;
    return links.set_up(link_index_);
}

Result<> ClientInterface::set_up_peer(const CheckedOffer& offer, const Secret<32>& private_key) {
    auto configured =
        device_->configure({.private_key = &private_key, .listen_port = std::nullopt, .mark = ports::kBypassMark});
    if (!configured) return configured;
    std::shared_ptr<wireguard::Meter> meter;
    if (device_->counting() == Counting::meters) {
        meter = make_meter(offer.server_address, false);
        meter_.follow(meter);
    }
    return device_->set_peer({.key = offer.server_key,
                              .endpoint = offer.endpoint,
                              .allowed_networks = {"0.0.0.0/0"},
                              .keepalive = kKeepalive,
                              .meter = std::move(meter)});
}

Result<> ClientInterface::set_up_routes(sys::Netlink& links) {
    sys::Route through;
    through.link = link_index_;
    through.table = record_.route_table;
    through.protocol = kRouteProtocol;
    if (auto added = links.add_route(through); !added) return added;
    if (auto added = add_dead_end(links, sys::IpFamily::v4); !added) return added;
    if (auto added = add_rules(links, sys::IpFamily::v4); !added) return added;
    if (!has_ipv6()) return {};
    if (auto added = add_dead_end(links, sys::IpFamily::v6); !added) return added;
    return add_rules(links, sys::IpFamily::v6);
}

Result<> ClientInterface::check_collisions(sys::Netlink& links, const CheckedOffer& offer) const {
    auto addresses = links.ipv4_addresses();
    if (!addresses) return forward_error(addresses);
    auto routes = links.ipv4_routes(kMainTable);
    if (!routes) return forward_error(routes);
    std::vector<Ipv4Network> used;
    for (const auto& text : *addresses) {
        auto address = Ipv4::parse(text);
        if (!address) return forward_error(address);
        if (*address != offer_.client_address) used.push_back({.address = *address, .prefix = kWholeAddress});
    }
    for (const auto& route : *routes) {
        if (route.prefix <= kWidestRoute4) continue;
        auto destination = Ipv4::parse(route.destination);
        if (!destination) return forward_error(destination);
        used.push_back({.address = *destination, .prefix = route.prefix});
    }
    for (const auto& network : used) {
        if (!network.contains(offer.client_address) && !network.contains(offer.server_address)) continue;
        return fail(ErrorCode::failed_precondition,
                    "the provider's addresses inside the tunnel are in use here: " + network.to_string(),
                    "choose another provider; if this machine sells connections, too, give it another provider.pool");
    }
    return {};
}

const std::vector<std::string>& ClientInterface::resolvers_for(const CheckedOffer& offer) const {
    return offer.dns.empty() ? settings_.dns : offer.dns;
}

Result<> ClientInterface::pin_addresses(sys::Netlink& links, const CheckedOffer& offer) {
    sys::Rule pinned;
    pinned.priority = record_.first_rule + kPins;
    pinned.table = record_.route_table;
    pinned.protocol = kRouteProtocol;
    pinned.destination = offer.server_address.to_string();
    if (auto added = links.add_rule(pinned); !added) return added;
    for (const auto& resolver : resolvers_for(offer)) {
        pinned.destination = resolver;
        for (const auto transport : {sys::IpProtocol::udp, sys::IpProtocol::tcp}) {
            pinned.transport = transport;
            for (const auto port : kNameServicePorts) {
                pinned.port = port;
                auto added = links.add_rule(pinned);
                if (!added && added.error().code != ErrorCode::already_exists) return added;  // one listed twice
            }
        }
    }
    return {};
}

Result<> ClientInterface::add_dead_end(sys::Netlink& links, sys::IpFamily family) {
    sys::Route nowhere;
    nowhere.family = family;
    nowhere.table = record_.route_table;
    nowhere.metric = kLastResort;
    nowhere.protocol = kRouteProtocol;
    return links.add_route(nowhere);
}

Result<> ClientInterface::add_rules(sys::Netlink& links, sys::IpFamily family) {
    sys::Rule own_traffic;
    own_traffic.family = family;
    own_traffic.priority = record_.first_rule + kOwnTraffic;
    own_traffic.table = kMainTable;
    own_traffic.mark = ports::kBypassMark;
    own_traffic.protocol = kRouteProtocol;
    if (auto added = links.add_rule(own_traffic); !added) return added;
    sys::Rule local_networks;
    local_networks.family = family;
    local_networks.priority = record_.first_rule + kLocalNetworks;
    local_networks.table = kMainTable;
    local_networks.suppress_prefix = family == sys::IpFamily::v4 ? kWidestRoute4 : kWidestRoute6;
    local_networks.protocol = kRouteProtocol;
    if (auto added = links.add_rule(local_networks); !added) return added;
    sys::Rule everything;
    everything.family = family;
    everything.priority = record_.first_rule + kEverything;
    everything.table = record_.route_table;
    everything.not_mark = ports::kBypassMark;
    everything.protocol = kRouteProtocol;
    return links.add_rule(everything);
}

Result<> ClientInterface::set_resolvers(const CheckedOffer& offer) {
    if (settings_.resolv_conf.empty()) return {};
    const auto& servers = resolvers_for(offer);
    if (servers.empty()) {
        return fail(ErrorCode::failed_precondition, "the provider offers no resolvers and none are configured",
                    "set consumer.dns");
    }
    const ResolvConf file(settings_.resolv_conf, records_.backup_of_resolv_conf());
    if (!record_.resolv_conf.empty()) return file.change(servers);
    record_.resolv_conf = settings_.resolv_conf;
    if (auto saved = records_.save(record_); !saved) return saved;
    auto replaced = file.replace(servers);
    // The backup of another connection is not ours to put back.
    if (!replaced && replaced.error().code == ErrorCode::already_exists) record_.resolv_conf.clear();
    return replaced;
}

Result<> ClientInterface::change_offer(const CheckedOffer& offer, const Secret<32>& private_key) {
    auto links = sys::Netlink::open();
    if (!links) return forward_error(links);
    auto tables = tables_here();
    if (!tables) return forward_error(tables);
    if (auto done = device_->remove_peer(offer_.server_key); !done) return done;
    if (auto done = check_collisions(*links, offer); !done) return done;
    const CheckedOffer before = std::exchange(offer_, offer);
    const auto addresses = client_addresses(record_.tables.front(), offer.client_address, offer.server_address);
    if (auto done = tables->apply(addresses); !done) return done;
    if (before.client_address != offer.client_address) {
        const auto fresh = offer.client_address.to_string();
        // The new one first: without any address the kernel would drop the interface's routes.
        if (auto done = links->add_address(link_index_, fresh, kWholeAddress); !done) return done;
        auto done = links->delete_address(link_index_, before.client_address.to_string(), kWholeAddress);
        if (!done) return done;
    }
    if (auto done = links->set_mtu(link_index_, offer.mtu); !done) return done;
    const auto pins = record_.first_rule + kPins;
    if (auto done = links->delete_rules(kRouteProtocol, pins, pins); !done) return done;
    if (auto done = pin_addresses(*links, offer); !done) return done;
    if (auto done = set_resolvers(offer); !done) return done;
    return set_up_peer(offer, private_key);
}

}  // namespace myst::vpn
