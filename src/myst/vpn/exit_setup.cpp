// Setting up an exit; part of exit_interface.hpp. From the inside out: the exit namespace with its filter and links,
// the WireGuard device, and last the host, so that nothing is forwarded before everything is filtered.
#include <poll.h>
#include <unistd.h>

#include <chrono>

#include "myst/sys/ethtool.hpp"
#include "myst/sys/fd.hpp"
#include "myst/sys/os_error.hpp"
#include "myst/sys/sysctl.hpp"
#include "myst/vpn/exit_interface.hpp"
#include "myst/vpn/exit_rules.hpp"

namespace myst::vpn {
namespace {

constexpr milliseconds kUpLimit{5000};
constexpr int kUpPollMs = 10;
constexpr std::uint8_t kLinkPrefix = 31;

/// Ends of the link pair number `n`: 169.254.109.2n (host) and 2n + 1 (inside).
Ipv4 link_address(int number, bool inside) {
    constexpr std::uint32_t kBase = 0xa9fe6d00;
    return {kBase + static_cast<std::uint32_t>(2 * number) + (inside ? 1U : 0U)};
}

/// Brings up an interface of the calling thread's namespace with an address.
Result<> start_link(sys::Netlink& links, const std::string& name, Ipv4 address, std::uint8_t prefix) {
    auto link = links.link(name);
    if (!link) return forward_error(link);
    if (auto added = links.add_address(link->index, address.to_string(), prefix); !added) return added;
    return links.set_up(link->index);
}

Result<> no_ipv6(const std::string& name) {
    if (::access("/proc/sys/net/ipv6", F_OK) != 0) return {};
    return sys::write_sysctl("net/ipv6/conf/" + name + "/disable_ipv6", "1");
}

Result<> set_inside_sysctls() {
    if (auto set = no_ipv6("all"); !set) return set;
    if (auto set = no_ipv6("default"); !set) return set;
    return sys::write_sysctl("net/ipv4/ip_forward", "1");
}

}  // namespace

Result<> ExitInterface::set_up(const Secret<32>& private_key) {
    auto host = sys::Netlink::open();
    if (!host) return forward_error(host);
    if (exit_.uplink.empty()) {
        auto found = host->default_link();
        if (!found) return forward_error(found, "choose the uplink");
    } else if (auto found = host->link(exit_.uplink); !found) {
        return forward_error(found, "exit uplink");
    }
    if (auto done = set_up_exit_filter(*host); !done) return done;
    if (auto done = set_up_device(*host, private_key); !done) return done;
    return set_up_host(*host);
}

Result<> ExitInterface::set_up_exit_filter(sys::Netlink& host) {
    auto addresses = host.ipv4_addresses();
    if (!addresses) return forward_error(addresses);
    ExitRules rules;
    rules.tunnel_link = record_.device;
    rules.outer_link = inner_link();
    rules.server_address = exit_.server_address;
    rules.denied = exit_.denied;
    rules.denied.push_back(exit_.pool);
    rules.allowed = exit_.allowed;
    for (const auto& text : *addresses) {
        if (auto address = Ipv4::parse(text); address) rules.own_addresses.push_back(*address);
    }
    rules.max_flows = max_flows(sys::read_sysctl("net/netfilter/nf_conntrack_max").value_or(std::string()));
    rules.metered = filter_counts();
    auto tables = sys::Nftables::open(inside_);
    if (!tables) return forward_error(tables);
    if (auto applied = tables->apply(exit_table(rules)); !applied) return applied;
    tables_ = std::move(*tables);
    auto objects = inside_.run([] { return sys::NftObjects::open(kExitTable); });
    if (!objects) return forward_error(objects);
    meters_ = filter_counts() ? filter_meters(std::move(*objects)) : device_meters(exit_.server_address);
    auto inside = inside_.run([] { return sys::Conntrack::open(); });
    if (!inside) return forward_error(inside);
    auto outside = sys::Conntrack::open();
    if (!outside) return forward_error(outside);
    flows_ = {std::move(*inside), std::move(*outside)};
    // There are none: this finds out whether the kernel can.
    auto forgotten = forget_flows(exit_.server_address);
    if (!forgotten) forgotten.error().cure = "load the kernel module nf_conntrack_netlink";
    return forgotten;
}

Result<> ExitInterface::set_up_device(sys::Netlink& host, const Secret<32>& private_key) {
    auto link = host.link(record_.device);
    if (!link) return forward_error(link);
    // Without a port at first: a program reports a port once it really has a socket, and refuses a busy one then.
    auto configured =
        device_->configure({.private_key = &private_key, .listen_port = std::nullopt, .mark = ports::kBypassMark});
    if (!configured) return configured;
    if (auto set = host.set_mtu(link->index, exit_.mtu); !set) return set;
    if (auto moved = host.move_link(link->index, inside_.fd()); !moved) return moved;
    if (auto followed = device_->follow(inside_); !followed) return followed;
    if (auto done = inside_.run([this] { return set_up_inside(); }); !done) return done;
    if (auto up = wait_for_port(); !up) return up;
    if (exit_.listen_port == 0) return {};
    DeviceSettings change;
    change.listen_port = exit_.listen_port;
    auto set = device_->configure(change);
    if (!set) {
        set.error().cure = "free the UDP port or choose another one (0: any)";
        return forward_error(set, "listen on UDP port " + std::to_string(exit_.listen_port));
    }
    listen_port_ = exit_.listen_port;
    return {};
}

Result<> ExitInterface::set_up_inside() {
    if (auto set = set_inside_sysctls(); !set) return set;
    auto links = sys::Netlink::open();
    if (!links) return forward_error(links);
    for (const auto& name : {record_.device, inner_link()}) {
        if (!filter_counts()) break;
        if (auto done = sys::disable_segmentation_offload(name); !done) return done;
    }
    if (auto done = start_link(*links, record_.device, exit_.server_address, exit_.pool.prefix); !done) return done;
    if (auto done = start_link(*links, inner_link(), link_address(number_, true), kLinkPrefix); !done) return done;
    auto outer = links->link(inner_link());
    if (!outer) return forward_error(outer);
    sys::Route out;
    out.link = outer->index;
    out.gateway = link_address(number_, false).to_string();
    // The host's end of the link is still down; the kernel refuses a gateway behind a link without carrier only for
    // routes that say so, this one waits.
    return links->add_route(out);
}

Result<> ExitInterface::wait_for_port() {
    const auto deadline = std::chrono::steady_clock::now() + kUpLimit;
    while (true) {
        auto status = device_->status();
        if (!status) return forward_error(status);
        if (status->listen_port != 0) {
            listen_port_ = status->listen_port;
            return {};
        }
        if (std::chrono::steady_clock::now() > deadline) {
            return fail(ErrorCode::timeout, "the WireGuard interface did not come up");
        }
        ::poll(nullptr, 0, kUpPollMs);  // nothing announces this state, it must be asked for
    }
}

Result<> ExitInterface::set_up_host(sys::Netlink& host) {
    auto forwarding = sys::read_sysctl("net/ipv4/ip_forward");
    if (!forwarding) return forward_error(forwarding);
    auto network = sys::NetworkNamespace::current();
    if (!network) return forward_error(network);
    auto tables = sys::Nftables::open(*network);
    if (!tables) return forward_error(tables);
    const auto& table = record_.tables.front();
    if (auto cleared = tables->delete_table(table); !cleared) return cleared;
    auto applied = tables->apply(nat_table({.table = table,
                                            .inner_link = record_.claim,
                                            .pool = exit_.pool,
                                            .uplink = exit_.uplink,
                                            .listen_port = listen_port_,
                                            .mark = ports::kBypassMark,
                                            .forwarding_was_off = *forwarding == "0"}));
    if (!applied) return applied;
    if (auto set = no_ipv6(record_.claim); !set) return set;
    if (filter_counts()) {
        if (auto done = sys::disable_segmentation_offload(record_.claim); !done) return done;
    }
    if (auto done = start_link(host, record_.claim, link_address(number_, false), kLinkPrefix); !done) return done;
    auto link = host.link(record_.claim);
    if (!link) return forward_error(link);
    sys::Route back;
    back.destination = exit_.pool.address.to_string();
    back.prefix = exit_.pool.prefix;
    back.link = link->index;
    back.gateway = link_address(number_, true).to_string();
    back.protocol = kRouteProtocol;
    if (auto added = host.add_route(back); !added) {
        added.error().cure = "choose another address pool for the exit";
        return forward_error(added, "exit address pool");
    }
    return records_.enable_sysctl(record_, "net/ipv4/ip_forward");
}

}  // namespace myst::vpn
