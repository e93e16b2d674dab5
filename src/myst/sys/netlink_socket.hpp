// Netlink messages and request/answer exchange, over libnl. The families built on it: rtnetlink (netlink.hpp),
// nf_tables objects (nft_objects.hpp) and generic netlink (WireGuard).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "myst/base/bytes.hpp"

struct nl_msg;
struct nl_sock;

namespace myst::sys {

/// Attributes of a message by type; views into the message. Of a repeated type the first is kept.
using NetlinkAttributes = std::map<std::uint16_t, BytesView>;
/// Splits a run of attributes; stops at the first malformed one.
[[nodiscard]] NetlinkAttributes parse_attributes(BytesView payload);
/// The same in order and with repetitions, for lists.
[[nodiscard]] std::vector<std::pair<std::uint16_t, BytesView>> list_attributes(BytesView payload);
/// One attribute without splitting all of them; empty if it is missing.
[[nodiscard]] BytesView find_attribute(BytesView payload, std::uint16_t type);

/// Typed access; zero or empty if the attribute is missing or shorter than the type.
[[nodiscard]] std::uint8_t attribute_u8(const NetlinkAttributes& attributes, std::uint16_t type);
[[nodiscard]] std::uint16_t attribute_u16(const NetlinkAttributes& attributes, std::uint16_t type);
[[nodiscard]] std::uint32_t attribute_u32(const NetlinkAttributes& attributes, std::uint16_t type);
[[nodiscard]] std::string attribute_text(const NetlinkAttributes& attributes, std::uint16_t type);

/// A message under construction. Wiped when it goes. Running out of room (16 KiB) is our bug and aborts.
class NetlinkMessage {
public:
    /// `flags` besides NLM_F_REQUEST, e.g. NLM_F_CREATE | NLM_F_EXCL.
    explicit NetlinkMessage(std::uint16_t type, int flags = 0);

    /// Appends the fixed part that follows the header.
    template <class Header>
    NetlinkMessage& header(const Header& value) {
        return raw({reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)});
    }
    NetlinkMessage& raw(BytesView bytes);
    NetlinkMessage& put(int attribute, BytesView value);
    NetlinkMessage& put_u8(int attribute, std::uint8_t value);
    NetlinkMessage& put_u16(int attribute, std::uint16_t value);
    NetlinkMessage& put_u32(int attribute, std::uint32_t value);
    /// Big-endian, as nf_tables wants its numbers.
    NetlinkMessage& put_be32(int attribute, std::uint32_t value);
    NetlinkMessage& put_be64(int attribute, std::uint64_t value);
    /// With a terminating zero.
    NetlinkMessage& put_text(int attribute, const std::string& value);
    /// Runs `fill` between the opening and the closing of a nested attribute.
    NetlinkMessage& nest(int attribute, const std::function<void(NetlinkMessage&)>& fill);

    [[nodiscard]] nl_msg* native() const { return message_.get(); }
    /// The fixed part and the attributes.
    [[nodiscard]] BytesView payload() const;

private:
    std::shared_ptr<nl_msg> message_;
};

/// A netlink socket of the network namespace in which it was opened. One thread at a time.
class NetlinkSocket {
public:
    /// One message of an answer: its type and what follows the header.
    using Visitor = std::function<void(std::uint16_t type, BytesView payload)>;

    /// `protocol` such as NETLINK_ROUTE.
    [[nodiscard]] static Result<NetlinkSocket> open(int protocol);

    /// Sends one request and waits for its acknowledgement, or for the end of the dump if flags has NLM_F_DUMP.
    /// An error answer becomes a failure that starts with `what`.
    [[nodiscard]] Result<> exchange(const NetlinkMessage& message, std::string_view what, const Visitor& visit = {});
    /// Sends several messages in one datagram and waits for the acknowledgement of `acknowledged` of them
    /// (nf_tables batches: begin, changes, end; only changes carry NLM_F_ACK).
    [[nodiscard]] Result<> exchange_batch(const std::vector<NetlinkMessage>& messages, std::size_t acknowledged,
                                          std::string_view what);

private:
    explicit NetlinkSocket(nl_sock* socket);
    [[nodiscard]] Result<> receive(std::uint32_t first_sequence, std::size_t answers, std::string_view what,
                                   const Visitor& visit);
    std::shared_ptr<nl_sock> socket_;
};

}  // namespace myst::sys
