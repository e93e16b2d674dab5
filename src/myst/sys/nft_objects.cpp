#include "myst/sys/nft_objects.hpp"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include <cstring>
#include <optional>

namespace myst::sys {
namespace {

constexpr std::uint16_t type_of(int message) {
    return static_cast<std::uint16_t>((NFNL_SUBSYS_NFTABLES << 8) | message);
}

nfgenmsg header(std::uint8_t family, std::uint16_t resource = 0) {
    nfgenmsg value{};
    value.nfgen_family = family;
    value.version = NFNETLINK_V0;
    value.res_id = htons(resource);
    return value;
}

NetlinkMessage batch_edge(std::uint16_t type) {
    NetlinkMessage message(type);
    message.header(header(AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
    return message;
}

std::optional<std::uint64_t> number_in(BytesView attribute) {
    std::uint64_t value = 0;
    if (attribute.size() != sizeof(value)) return std::nullopt;
    std::memcpy(&value, attribute.data(), sizeof(value));
    return be64toh(value);
}

/// Allocates nothing but the name: a machine with many peers has thousands of counters.
std::optional<std::pair<std::string, NftCount>> parse_counter(BytesView payload) {
    if (payload.size() < sizeof(nfgenmsg)) return std::nullopt;
    const auto object = payload.subspan(sizeof(nfgenmsg));
    const std::uint32_t wanted = htonl(NFT_OBJECT_COUNTER);
    const auto type = find_attribute(object, NFTA_OBJ_TYPE);
    if (type.size() != sizeof(wanted) || std::memcmp(type.data(), &wanted, sizeof(wanted)) != 0) return std::nullopt;
    const auto data = find_attribute(object, NFTA_OBJ_DATA);
    const auto bytes = number_in(find_attribute(data, NFTA_COUNTER_BYTES));
    const auto packets = number_in(find_attribute(data, NFTA_COUNTER_PACKETS));
    if (!bytes || !packets) return std::nullopt;
    const auto name = as_text(find_attribute(object, NFTA_OBJ_NAME));
    return std::pair(std::string(name.substr(0, name.find('\0'))), NftCount{*packets, *bytes});
}

}  // namespace

Result<NftObjects> NftObjects::open(std::string table) {
    auto socket = NetlinkSocket::open(NETLINK_NETFILTER);
    if (!socket) return forward_error(socket);
    return NftObjects(std::move(*socket), std::move(table));
}

Result<std::vector<std::pair<std::string, std::uint64_t>>> NftObjects::counters() {
    NetlinkMessage message(type_of(NFT_MSG_GETOBJ), NLM_F_DUMP);
    message.header(header(NFPROTO_INET)).put_text(NFTA_OBJ_TABLE, table_).put_be32(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
    std::vector<std::pair<std::string, std::uint64_t>> found;
    auto done = socket_.exchange(message, "read traffic counters", [&](std::uint16_t, BytesView payload) {
        if (auto counter = parse_counter(payload)) found.emplace_back(std::move(counter->first), counter->second.bytes);
    });
    if (!done) return forward_error(done);
    return found;
}

Result<std::uint64_t> NftObjects::counter(const std::string& name) {
    return count(name).map([](const NftCount& found) { return found.bytes; });
}

Result<NftCount> NftObjects::count(const std::string& name) {
    NetlinkMessage message(type_of(NFT_MSG_GETOBJ));
    message.header(header(NFPROTO_INET)).put_text(NFTA_OBJ_TABLE, table_).put_text(NFTA_OBJ_NAME, name);
    message.put_be32(NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER);
    std::optional<std::pair<std::string, NftCount>> found;
    auto done = socket_.exchange(message, "read traffic counter " + name,
                                 [&](std::uint16_t, BytesView payload) { found = parse_counter(payload); });
    if (!done) return forward_error(done);
    if (!found) return fail(ErrorCode::not_found, "there is no traffic counter " + name);
    return found->second;
}

Result<> NftObjects::set_quota(const std::string& name, std::uint64_t bytes) {
    NetlinkMessage change(type_of(NFT_MSG_NEWOBJ), NLM_F_CREATE | NLM_F_ACK);
    change.header(header(NFPROTO_INET)).put_text(NFTA_OBJ_TABLE, table_).put_text(NFTA_OBJ_NAME, name);
    change.put_be32(NFTA_OBJ_TYPE, NFT_OBJECT_QUOTA);
    change.nest(NFTA_OBJ_DATA, [bytes](NetlinkMessage& quota) {
        quota.put_be64(NFTA_QUOTA_BYTES, bytes).put_be32(NFTA_QUOTA_FLAGS, NFT_QUOTA_F_INV);
    });
    const std::vector<NetlinkMessage> batch{batch_edge(NFNL_MSG_BATCH_BEGIN), change, batch_edge(NFNL_MSG_BATCH_END)};
    return socket_.exchange_batch(batch, 1, "set traffic allowance " + name);
}

}  // namespace myst::sys
