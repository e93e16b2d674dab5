#include "myst/sys/conntrack.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>

namespace myst::sys {
namespace {

// Flag of CTA_FILTER_ORIG_FLAGS, which the kernel's public headers do not name: compare the source address.
constexpr std::uint32_t kCompareSource = 1;

NetlinkMessage request(int type, int flags = 0) {
    nfgenmsg header{};
    header.nfgen_family = AF_INET;
    header.version = NFNETLINK_V0;
    NetlinkMessage message(static_cast<std::uint16_t>((NFNL_SUBSYS_CTNETLINK << 8) | type), flags);
    message.header(header);
    return message;
}

/// Lists the entries of one source. Kernels before 5.8 ignore the filter and send all.
NetlinkMessage list_request(BytesView source) {
    auto message = request(IPCTNL_MSG_CT_GET, NLM_F_DUMP);
    message.nest(CTA_TUPLE_ORIG, [source](NetlinkMessage& tuple) {
        tuple.nest(CTA_TUPLE_IP, [source](NetlinkMessage& ip) { ip.put(CTA_IP_V4_SRC, source); });
    });
    message.nest(CTA_FILTER, [](NetlinkMessage& filter) { filter.put_u32(CTA_FILTER_ORIG_FLAGS, kCompareSource); });
    return message;
}

/// The request that deletes exactly this entry, and no later one of the same addresses and ports.
NetlinkMessage delete_request(BytesView entry) {
    auto message = request(IPCTNL_MSG_CT_DELETE);
    message.put(CTA_TUPLE_ORIG | NLA_F_NESTED, find_attribute(entry, CTA_TUPLE_ORIG));
    for (const int attribute : {CTA_ZONE, CTA_ID}) {
        const auto value = find_attribute(entry, static_cast<std::uint16_t>(attribute));
        if (!value.empty()) message.put(attribute, value);
    }
    return message;
}

}  // namespace

Result<Conntrack> Conntrack::open() {
    auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
    if (!socket) return forward_error(socket);
    return Conntrack(std::move(*socket));
}

Result<> Conntrack::forget(const std::string& source) {
    std::array<std::uint8_t, 4> wanted{};
    if (::inet_pton(AF_INET, source.c_str(), wanted.data()) != 1) {
        return fail(ErrorCode::invalid_argument, "\"" + source + "\" is not an IPv4 address");
    }
    std::vector<Bytes> entries;
    const auto visit = [&](std::uint16_t, BytesView payload) {
        if (payload.size() < sizeof(nfgenmsg)) return;
        const auto entry = payload.subspan(sizeof(nfgenmsg));
        const auto addresses = find_attribute(find_attribute(entry, CTA_TUPLE_ORIG), CTA_TUPLE_IP);
        const auto from = find_attribute(addresses, CTA_IP_V4_SRC);
        if (std::equal(from.begin(), from.end(), wanted.begin(), wanted.end())) {
            entries.emplace_back(entry.begin(), entry.end());
        }
    };
    auto listed = socket_.exchange(list_request(wanted), "list connections of " + source, visit);
    if (!listed) return listed;
    for (const auto& entry : entries) {
        auto deleted = socket_.exchange(delete_request(entry), "forget a connection of " + source);
        if (!deleted && deleted.error().code != ErrorCode::not_found) return deleted;
    }
    return {};
}

}  // namespace myst::sys
