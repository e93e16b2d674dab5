// Addresses, routes and rules of Netlink.
#include <arpa/inet.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

#include <cerrno>
#include <cstring>

#include "myst/sys/netlink.hpp"

namespace myst::sys {
namespace {

std::uint8_t af_of(IpFamily family) {
    return family == IpFamily::v4 ? AF_INET : AF_INET6;
}

Result<Bytes> address_bytes(IpFamily family, const std::string& text) {
    Bytes bytes(family == IpFamily::v4 ? 4 : 16);
    if (::inet_pton(af_of(family), text.c_str(), bytes.data()) != 1) {
        return fail(ErrorCode::invalid_argument, "\"" + text + "\" is not an IP address of the expected family");
    }
    return bytes;
}

/// An attribute with an IPv4 address; empty if there is none.
std::string ipv4_text(const NetlinkAttributes& attributes, std::uint16_t type) {
    const auto found = attributes.find(type);
    char text[INET_ADDRSTRLEN]{};
    if (found == attributes.end() || found->second.size() != 4) return {};
    return ::inet_ntop(AF_INET, found->second.data(), text, sizeof(text));
}

template <class Header>
std::optional<std::pair<Header, NetlinkAttributes>> split(BytesView payload) {
    Header header{};
    if (payload.size() < sizeof(header)) return std::nullopt;
    std::memcpy(&header, payload.data(), sizeof(header));
    return std::pair(header, parse_attributes(payload.subspan(NLMSG_ALIGN(sizeof(header)))));
}

Result<NetlinkMessage> address_message(std::uint16_t type, int index, const std::string& address, std::uint8_t prefix) {
    const auto family = address.find(':') == std::string::npos ? IpFamily::v4 : IpFamily::v6;
    auto bytes = address_bytes(family, address);
    if (!bytes) return forward_error(bytes);
    ifaddrmsg header{};
    header.ifa_family = static_cast<std::uint8_t>(af_of(family));
    header.ifa_prefixlen = prefix;
    // Who sets an address knows that it is free; the kernel would let IPv6 wait for a second to see.
    if (family == IpFamily::v6) header.ifa_flags = IFA_F_NODAD;
    header.ifa_index = static_cast<std::uint32_t>(index);
    NetlinkMessage message(type, type == RTM_NEWADDR ? NLM_F_CREATE | NLM_F_EXCL : 0);
    message.header(header).put(IFA_LOCAL, *bytes).put(IFA_ADDRESS, *bytes);
    return message;
}

/// Deletes what a dump listed: the same header and attributes, sent back with the deleting type.
Result<> delete_all(NetlinkSocket& socket, const std::vector<Bytes>& entries, std::uint16_t type, const char* what) {
    for (const auto& entry : entries) {
        NetlinkMessage message(type);
        message.raw(entry);
        auto done = socket.exchange(message, what);
        if (!done && done.error().code != ErrorCode::not_found) return done;
    }
    return {};
}

}  // namespace

Result<> Netlink::add_address(int index, const std::string& address, std::uint8_t prefix) {
    auto message = address_message(RTM_NEWADDR, index, address, prefix);
    if (!message) return forward_error(message);
    return socket_.exchange(*message, "add address " + address);
}

Result<> Netlink::delete_address(int index, const std::string& address, std::uint8_t prefix) {
    auto message = address_message(RTM_DELADDR, index, address, prefix);
    if (!message) return forward_error(message);
    auto done = socket_.exchange(*message, "remove address " + address);
    if (!done && done.error().code == ErrorCode::not_found) return {};
    return done;
}

Result<std::vector<std::string>> Netlink::ipv4_addresses() {
    ifaddrmsg header{};
    header.ifa_family = AF_INET;
    NetlinkMessage message(RTM_GETADDR, NLM_F_DUMP);
    message.header(header);
    std::vector<std::string> found;
    auto done = socket_.exchange(message, "list addresses", [&](std::uint16_t, BytesView payload) {
        const auto entry = split<ifaddrmsg>(payload);
        if (!entry || entry->first.ifa_family != AF_INET) return;
        auto local = ipv4_text(entry->second, IFA_LOCAL);
        if (!local.empty()) found.push_back(std::move(local));
    });
    if (!done) return forward_error(done);
    return found;
}

Result<> Netlink::add_route(const Route& route) {
    rtmsg header{};
    header.rtm_family = af_of(route.family);
    header.rtm_dst_len = route.prefix;
    header.rtm_table = RT_TABLE_UNSPEC;
    header.rtm_protocol = route.protocol;
    header.rtm_scope =
        route.gateway.empty() && route.link != 0 && route.family == IpFamily::v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
    header.rtm_type = route.link == 0 ? RTN_UNREACHABLE : RTN_UNICAST;
    NetlinkMessage message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
    message.header(header).put_u32(RTA_TABLE, route.table);
    if (!route.destination.empty()) {
        auto bytes = address_bytes(route.family, route.destination);
        if (!bytes) return forward_error(bytes);
        message.put(RTA_DST, *bytes);
    }
    if (!route.gateway.empty()) {
        auto bytes = address_bytes(route.family, route.gateway);
        if (!bytes) return forward_error(bytes);
        message.put(RTA_GATEWAY, *bytes);
    }
    if (route.metric != 0) message.put_u32(RTA_PRIORITY, route.metric);
    if (route.link != 0) message.put_u32(RTA_OIF, static_cast<std::uint32_t>(route.link));
    const std::string where = route.destination.empty() ? "default" : route.destination;
    return socket_.exchange(message, "add route to " + where);
}

Result<std::vector<Route>> Netlink::ipv4_routes(std::uint32_t table) {
    rtmsg header{};
    header.rtm_family = AF_INET;
    NetlinkMessage message(RTM_GETROUTE, NLM_F_DUMP);
    message.header(header);
    std::vector<Route> found;
    auto done = socket_.exchange(message, "list routes", [&](std::uint16_t, BytesView payload) {
        const auto entry = split<rtmsg>(payload);
        if (!entry || entry->first.rtm_family != AF_INET || attribute_u32(entry->second, RTA_TABLE) != table) return;
        Route route;
        route.destination = ipv4_text(entry->second, RTA_DST);
        route.prefix = entry->first.rtm_dst_len;
        route.link = static_cast<int>(attribute_u32(entry->second, RTA_OIF));
        route.table = table;
        route.metric = attribute_u32(entry->second, RTA_PRIORITY);
        route.protocol = entry->first.rtm_protocol;
        found.push_back(std::move(route));
    });
    if (!done) return forward_error(done);
    return found;
}

Result<std::string> Netlink::default_link() {
    auto routes = ipv4_routes(RT_TABLE_MAIN);
    if (!routes) return forward_error(routes);
    const Route* best = nullptr;
    for (const auto& route : *routes) {
        if (route.prefix != 0 || route.link == 0) continue;
        if (best == nullptr || route.metric < best->metric) best = &route;
    }
    auto all = links();
    if (!all) return forward_error(all);
    for (const auto& link : *all) {
        if (best != nullptr && link.index == best->link) return link.name;
    }
    return fail(ErrorCode::not_found, "this machine has no IPv4 default route", "connect it to the internet");
}

Result<> Netlink::add_rule(const Rule& rule) {
    fib_rule_hdr header{};
    header.family = af_of(rule.family);
    header.action = FR_ACT_TO_TBL;
    if (rule.not_mark) header.flags = FIB_RULE_INVERT;
    if (!rule.destination.empty()) header.dst_len = rule.family == IpFamily::v4 ? 32 : 128;
    NetlinkMessage message(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL);
    message.header(header).put_u32(FRA_PRIORITY, rule.priority).put_u32(FRA_TABLE, rule.table);
    message.put_u8(FRA_PROTOCOL, rule.protocol);
    if (const auto mark = rule.not_mark ? rule.not_mark : rule.mark; mark) {
        message.put_u32(FRA_FWMARK, *mark).put_u32(FRA_FWMASK, 0xffffffffU);
    }
    if (rule.suppress_prefix) message.put_u32(FRA_SUPPRESS_PREFIXLEN, *rule.suppress_prefix);
    if (!rule.destination.empty()) {
        auto bytes = address_bytes(rule.family, rule.destination);
        if (!bytes) return forward_error(bytes);
        message.put(FRA_DST, *bytes);
    }
    if (rule.transport != IpProtocol::any) {
        message.put_u8(FRA_IP_PROTO, static_cast<std::uint8_t>(rule.transport));
        const fib_rule_port_range ports{.start = rule.port, .end = rule.port};
        if (rule.port != 0)
            message.put(FRA_DPORT_RANGE, {reinterpret_cast<const std::uint8_t*>(&ports), sizeof(ports)});
    }
    return socket_.exchange(message, "add routing rule " + std::to_string(rule.priority));
}

Result<> Netlink::delete_rules(std::uint8_t protocol, std::uint32_t first, std::uint32_t last) {
    std::vector<Bytes> entries;
    for (const auto family : {IpFamily::v4, IpFamily::v6}) {
        fib_rule_hdr header{};
        header.family = af_of(family);
        NetlinkMessage message(RTM_GETRULE, NLM_F_DUMP);
        message.header(header);
        auto done = socket_.exchange(message, "list routing rules", [&](std::uint16_t, BytesView payload) {
            const auto entry = split<fib_rule_hdr>(payload);
            if (!entry || attribute_u8(entry->second, FRA_PROTOCOL) != protocol) return;
            const auto priority = attribute_u32(entry->second, FRA_PRIORITY);
            if (priority < first || priority > last) return;
            entries.emplace_back(payload.begin(), payload.end());
        });
        if (!done && family == IpFamily::v4) return done;  // a kernel without IPv6 has no rules for it
    }
    return delete_all(socket_, entries, RTM_DELRULE, "delete routing rule");
}

Result<> Netlink::delete_routes(std::uint8_t protocol, std::uint32_t table) {
    std::vector<Bytes> entries;
    for (const auto family : {IpFamily::v4, IpFamily::v6}) {
        rtmsg header{};
        header.rtm_family = af_of(family);
        NetlinkMessage message(RTM_GETROUTE, NLM_F_DUMP);
        message.header(header);
        auto done = socket_.exchange(message, "list routes", [&](std::uint16_t, BytesView payload) {
            const auto entry = split<rtmsg>(payload);
            if (!entry || entry->first.rtm_protocol != protocol) return;
            if (attribute_u32(entry->second, RTA_TABLE) != table) return;
            entries.emplace_back(payload.begin(), payload.end());
        });
        if (!done && family == IpFamily::v4) return done;
    }
    return delete_all(socket_, entries, RTM_DELROUTE, "delete route");
}

}  // namespace myst::sys
