#include "myst/sys/netlink.hpp"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>

namespace myst::sys {
namespace {

ifinfomsg link_header(int index = 0) {
    ifinfomsg header{};
    header.ifi_family = AF_UNSPEC;
    header.ifi_index = index;
    return header;
}

std::optional<Link> parse_link(std::uint16_t type, BytesView payload) {
    ifinfomsg header{};
    if (type != RTM_NEWLINK || payload.size() < sizeof(header)) return std::nullopt;
    std::memcpy(&header, payload.data(), sizeof(header));
    const auto attributes = parse_attributes(payload.subspan(NLMSG_ALIGN(sizeof(header))));
    Link link;
    link.index = header.ifi_index;
    link.up = (header.ifi_flags & IFF_UP) != 0;
    link.name = attribute_text(attributes, IFLA_IFNAME);
    link.alias = attribute_text(attributes, IFLA_IFALIAS);
    link.mtu = attribute_u32(attributes, IFLA_MTU);
    if (const auto info = attributes.find(IFLA_LINKINFO); info != attributes.end()) {
        link.kind = attribute_text(parse_attributes(info->second), IFLA_INFO_KIND);
    }
    return link;
}

Result<> check_name(const std::string& name) {
    if (name.empty() || name.size() >= IFNAMSIZ) {
        return fail(ErrorCode::invalid_argument, "interface name \"" + name + "\" is empty or longer than 15 bytes");
    }
    return {};
}

}  // namespace

Result<Netlink> Netlink::open() {
    auto socket = NetlinkSocket::open(NETLINK_ROUTE);
    if (!socket) return forward_error(socket);
    return Netlink(std::move(*socket));
}

Result<std::vector<Link>> Netlink::links() {
    std::vector<Link> found;
    NetlinkMessage message(RTM_GETLINK, NLM_F_DUMP);
    message.header(link_header());
    auto done = socket_.exchange(message, "list interfaces", [&](std::uint16_t type, BytesView payload) {
        if (auto link = parse_link(type, payload)) found.push_back(std::move(*link));
    });
    if (!done) return forward_error(done);
    return found;
}

Result<Link> Netlink::link(const std::string& name) {
    if (auto checked = check_name(name); !checked) return forward_error(checked);
    std::optional<Link> found;
    NetlinkMessage message(RTM_GETLINK);
    message.header(link_header()).put_text(IFLA_IFNAME, name);
    auto done = socket_.exchange(message, "look up interface " + name, [&](std::uint16_t type, BytesView payload) {
        if (auto link = parse_link(type, payload)) found = std::move(link);
    });
    if (!done) return forward_error(done);
    if (!found) return fail(ErrorCode::not_found, "there is no interface " + name);
    return *found;
}

Result<LinkStats> Netlink::stats(int index) {
    if_stats_msg header{};
    header.ifindex = static_cast<std::uint32_t>(index);
    header.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
    NetlinkMessage message(RTM_GETSTATS);
    message.header(header);
    std::optional<LinkStats> found;
    auto done = socket_.exchange(message, "read interface counters", [&](std::uint16_t type, BytesView payload) {
        if (type != RTM_NEWSTATS || payload.size() < sizeof(header)) return;
        const auto attributes = parse_attributes(payload.subspan(NLMSG_ALIGN(sizeof(header))));
        const auto block = attributes.find(IFLA_STATS_LINK_64);
        if (block == attributes.end()) return;
        rtnl_link_stats64 numbers{};
        std::memcpy(&numbers, block->second.data(), std::min(sizeof(numbers), block->second.size()));
        found = LinkStats{.rx_bytes = numbers.rx_bytes, .tx_bytes = numbers.tx_bytes};
    });
    if (!done) return forward_error(done);
    if (!found) return fail(ErrorCode::io, "read interface counters: the kernel sent none");
    return *found;
}

Result<> Netlink::create_veth(const std::string& name, const std::string& peer, int peer_namespace, std::uint32_t mtu) {
    for (const auto* each : {&name, &peer}) {
        if (auto checked = check_name(*each); !checked) return checked;
    }
    NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    message.header(link_header()).put_text(IFLA_IFNAME, name).put_u32(IFLA_MTU, mtu);
    message.nest(IFLA_LINKINFO, [&](NetlinkMessage& info) {
        info.put_text(IFLA_INFO_KIND, "veth");
        info.nest(IFLA_INFO_DATA, [&](NetlinkMessage& data) {
            data.nest(VETH_INFO_PEER, [&](NetlinkMessage& other) {
                other.header(link_header()).put_text(IFLA_IFNAME, peer).put_u32(IFLA_MTU, mtu);
                other.put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(peer_namespace));
            });
        });
    });
    return socket_.exchange(message, "create interfaces " + name + " and " + peer);
}

Result<> Netlink::create_link(const std::string& name, const std::string& kind) {
    if (auto checked = check_name(name); !checked) return checked;
    NetlinkMessage message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
    message.header(link_header()).put_text(IFLA_IFNAME, name);
    message.nest(IFLA_LINKINFO, [&](NetlinkMessage& info) { info.put_text(IFLA_INFO_KIND, kind); });
    auto done = socket_.exchange(message, "create " + kind + " interface " + name);
    // EOPNOTSUPP, a kernel without this kind, comes as io.
    if (!done && done.error().code == ErrorCode::io) done.error().code = ErrorCode::unavailable;
    return done;
}

Result<> Netlink::delete_link(const std::string& name) {
    if (auto checked = check_name(name); !checked) return checked;
    NetlinkMessage message(RTM_DELLINK);
    message.header(link_header()).put_text(IFLA_IFNAME, name);
    auto done = socket_.exchange(message, "delete interface " + name);
    if (!done && done.error().code == ErrorCode::not_found) return {};
    return done;
}

Result<> Netlink::move_link(int index, int target_namespace) {
    NetlinkMessage message(RTM_NEWLINK);
    message.header(link_header(index)).put_u32(IFLA_NET_NS_FD, static_cast<std::uint32_t>(target_namespace));
    return socket_.exchange(message, "move an interface to another namespace");
}

Result<> Netlink::set_mtu(int index, std::uint32_t mtu) {
    NetlinkMessage message(RTM_NEWLINK);
    message.header(link_header(index)).put_u32(IFLA_MTU, mtu);
    return socket_.exchange(message, "set the MTU to " + std::to_string(mtu));
}

Result<> Netlink::set_up(int index) {
    auto header = link_header(index);
    header.ifi_flags = IFF_UP;
    header.ifi_change = IFF_UP;
    NetlinkMessage message(RTM_NEWLINK);
    message.header(header);
    return socket_.exchange(message, "bring an interface up");
}

Result<> Netlink::set_alias(int index, const std::string& text) {
    NetlinkMessage message(RTM_NEWLINK);
    message.header(link_header(index)).put(IFLA_IFALIAS, as_bytes(text));
    return socket_.exchange(message, "label an interface");
}

Result<> Netlink::set_single_segment(int index) {
    NetlinkMessage message(RTM_NEWLINK);
    message.header(link_header(index)).put_u32(IFLA_GSO_MAX_SEGS, 1);
    return socket_.exchange(message, "limit an interface to single segments");
}

}  // namespace myst::sys
