#include "myst/sys/netlink_socket.hpp"

#include <arpa/inet.h>
#include <endian.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "myst/base/check.hpp"
#include "myst/base/secret.hpp"
#include "myst/sys/os_error.hpp"

namespace myst::sys {
namespace {

constexpr std::size_t kMessageRoom = 16 * 1024;
constexpr std::size_t kReceiveRoom = 64 * 1024;
constexpr int kReceiveBuffer = 1024 * 1024;
constexpr timeval kAnswerLimit{5, 0};

template <class Number>
Number number_in(const NetlinkAttributes& attributes, std::uint16_t type) {
    Number value{};
    const auto found = attributes.find(type);
    if (found != attributes.end() && found->second.size() >= sizeof(value)) {
        std::memcpy(&value, found->second.data(), sizeof(value));
    }
    return value;
}

/// Splits off the first attribute; none at the end and before a malformed one.
std::optional<std::pair<std::uint16_t, BytesView>> take_attribute(BytesView& payload) {
    nlattr head{};
    if (payload.size() < sizeof(head)) return std::nullopt;
    std::memcpy(&head, payload.data(), sizeof(head));
    if (head.nla_len < sizeof(head) || head.nla_len > payload.size()) return std::nullopt;
    const auto value = payload.subspan(sizeof(head), head.nla_len - sizeof(head));
    const std::size_t step = (head.nla_len + std::size_t{3}) & ~std::size_t{3};
    payload = payload.subspan(std::min(step, payload.size()));
    return std::pair(static_cast<std::uint16_t>(head.nla_type & NLA_TYPE_MASK), value);
}

struct Exchange {
    std::uint32_t first_sequence = 0;
    std::size_t outstanding = 0;
    int error = 0;
    const NetlinkSocket::Visitor* visit = nullptr;

    /// An answer to an earlier exchange that was given up says nothing about this one.
    [[nodiscard]] bool is_old(const nlmsghdr* header) const {
        return static_cast<std::int32_t>(header->nlmsg_seq - first_sequence) < 0;
    }
};

int on_valid(nl_msg* message, void* context) {
    const auto& exchange = *static_cast<Exchange*>(context);
    const auto* header = nlmsg_hdr(message);
    if (*exchange.visit && !exchange.is_old(header)) {
        const auto size = static_cast<std::size_t>(nlmsg_datalen(header));
        (*exchange.visit)(header->nlmsg_type, {static_cast<const std::uint8_t*>(nlmsg_data(header)), size});
    }
    return NL_OK;
}

int on_end(nl_msg* message, void* context) {
    auto& exchange = *static_cast<Exchange*>(context);
    if (exchange.is_old(nlmsg_hdr(message))) return NL_OK;
    if (exchange.outstanding > 0) --exchange.outstanding;
    return exchange.outstanding == 0 ? NL_STOP : NL_OK;
}

int on_any_sequence(nl_msg*, void*) {
    return NL_OK;
}

int on_error(sockaddr_nl*, nlmsgerr* answer, void* context) {
    auto& exchange = *static_cast<Exchange*>(context);
    if (exchange.is_old(&answer->msg)) return NL_SKIP;
    if (exchange.error == 0) exchange.error = -answer->error;
    if (exchange.outstanding > 0) --exchange.outstanding;
    return exchange.outstanding == 0 ? NL_STOP : NL_SKIP;
}

/// Messages to WireGuard hold private keys.
void wipe_and_free(nl_msg* message) {
    auto* header = nlmsg_hdr(message);
    secure_wipe({reinterpret_cast<std::uint8_t*>(header) + sizeof(*header), header->nlmsg_len - sizeof(*header)});
    nlmsg_free(message);
}

}  // namespace

std::vector<std::pair<std::uint16_t, BytesView>> list_attributes(BytesView payload) {
    std::vector<std::pair<std::uint16_t, BytesView>> list;
    while (const auto next = take_attribute(payload)) list.push_back(*next);
    return list;
}

BytesView find_attribute(BytesView payload, std::uint16_t type) {
    while (const auto next = take_attribute(payload)) {
        if (next->first == type) return next->second;
    }
    return {};
}

NetlinkAttributes parse_attributes(BytesView payload) {
    NetlinkAttributes attributes;
    for (const auto& [type, value] : list_attributes(payload)) attributes.emplace(type, value);
    return attributes;
}

std::uint8_t attribute_u8(const NetlinkAttributes& attributes, std::uint16_t type) {
    return number_in<std::uint8_t>(attributes, type);
}

std::uint16_t attribute_u16(const NetlinkAttributes& attributes, std::uint16_t type) {
    return number_in<std::uint16_t>(attributes, type);
}

std::uint32_t attribute_u32(const NetlinkAttributes& attributes, std::uint16_t type) {
    return number_in<std::uint32_t>(attributes, type);
}

std::string attribute_text(const NetlinkAttributes& attributes, std::uint16_t type) {
    const auto found = attributes.find(type);
    if (found == attributes.end()) return {};
    const auto text = as_text(found->second);
    return std::string(text.substr(0, text.find('\0')));
}

NetlinkMessage::NetlinkMessage(std::uint16_t type, int flags)
    : message_(nlmsg_alloc_size(kMessageRoom), wipe_and_free) {
    CHECK(message_ != nullptr);
    CHECK(nlmsg_put(message_.get(), NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, NLM_F_REQUEST | flags) != nullptr);
}

NetlinkMessage& NetlinkMessage::raw(BytesView bytes) {
    // The kernel expects attributes after the fixed part at a multiple of four bytes.
    CHECK(nlmsg_append(message_.get(), const_cast<std::uint8_t*>(bytes.data()), bytes.size(), NLMSG_ALIGNTO) == 0);
    return *this;
}

NetlinkMessage& NetlinkMessage::put(int attribute, BytesView value) {
    CHECK(nla_put(message_.get(), attribute, static_cast<int>(value.size()), value.data()) == 0);
    return *this;
}

NetlinkMessage& NetlinkMessage::put_u8(int attribute, std::uint8_t value) {
    return put(attribute, {&value, 1});
}

NetlinkMessage& NetlinkMessage::put_u16(int attribute, std::uint16_t value) {
    return put(attribute, {reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)});
}

NetlinkMessage& NetlinkMessage::put_u32(int attribute, std::uint32_t value) {
    return put(attribute, {reinterpret_cast<const std::uint8_t*>(&value), sizeof(value)});
}

NetlinkMessage& NetlinkMessage::put_be32(int attribute, std::uint32_t value) {
    return put_u32(attribute, htonl(value));
}

NetlinkMessage& NetlinkMessage::put_be64(int attribute, std::uint64_t value) {
    const std::uint64_t big = htobe64(value);
    return put(attribute, {reinterpret_cast<const std::uint8_t*>(&big), sizeof(big)});
}

NetlinkMessage& NetlinkMessage::put_text(int attribute, const std::string& value) {
    return put(attribute, {reinterpret_cast<const std::uint8_t*>(value.c_str()), value.size() + 1});
}

NetlinkMessage& NetlinkMessage::nest(int attribute, const std::function<void(NetlinkMessage&)>& fill) {
    auto* start = nla_nest_start(message_.get(), attribute);
    CHECK(start != nullptr);
    fill(*this);
    nla_nest_end(message_.get(), start);
    return *this;
}

BytesView NetlinkMessage::payload() const {
    const auto* header = nlmsg_hdr(message_.get());
    return {static_cast<const std::uint8_t*>(nlmsg_data(header)), static_cast<std::size_t>(nlmsg_datalen(header))};
}

NetlinkSocket::NetlinkSocket(nl_sock* socket) : socket_(socket, nl_socket_free) {}

Result<NetlinkSocket> NetlinkSocket::open(int protocol) {
    auto* raw = nl_socket_alloc();
    CHECK(raw != nullptr);
    NetlinkSocket socket(raw);
    if (const int error = nl_connect(raw, protocol); error < 0) {
        return fail(ErrorCode::io, std::string("open netlink socket: ") + nl_geterror(error));
    }
    nl_socket_disable_auto_ack(raw);  // whoever wants an acknowledgement says so
    // A lost answer must not hang the caller for ever.
    ::setsockopt(nl_socket_get_fd(raw), SOL_SOCKET, SO_RCVTIMEO, &kAnswerLimit, sizeof(kAnswerLimit));
    nl_socket_set_buffer_size(raw, kReceiveBuffer, 0);
    nl_socket_set_msg_buf_size(raw, kReceiveRoom);
    return socket;
}

Result<> NetlinkSocket::exchange(const NetlinkMessage& message, std::string_view what, const Visitor& visit) {
    auto* header = nlmsg_hdr(message.native());
    const bool dump = (header->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
    if (!dump) header->nlmsg_flags |= NLM_F_ACK;
    if (const int error = nl_send_auto(socket_.get(), message.native()); error < 0) {
        return fail(ErrorCode::io, std::string(what) + ": " + nl_geterror(error));
    }
    return receive(header->nlmsg_seq, 1, what, visit);
}

Result<> NetlinkSocket::exchange_batch(const std::vector<NetlinkMessage>& messages, std::size_t acknowledged,
                                       std::string_view what) {
    Bytes datagram;
    for (const auto& message : messages) {
        nl_complete_msg(socket_.get(), message.native());
        const auto* header = nlmsg_hdr(message.native());
        const auto* begin = reinterpret_cast<const std::uint8_t*>(header);
        datagram.insert(datagram.end(), begin, begin + NLMSG_ALIGN(header->nlmsg_len));
    }
    if (const int error = nl_sendto(socket_.get(), datagram.data(), datagram.size()); error < 0) {
        return fail(ErrorCode::io, std::string(what) + ": " + nl_geterror(error));
    }
    return receive(nlmsg_hdr(messages.front().native())->nlmsg_seq, acknowledged, what, {});
}

Result<> NetlinkSocket::receive(std::uint32_t first_sequence, std::size_t answers, std::string_view what,
                                const Visitor& visit) {
    Exchange exchange{.first_sequence = first_sequence, .outstanding = answers, .error = 0, .visit = &visit};
    const std::unique_ptr<nl_cb, decltype(&nl_cb_put)> callbacks(nl_cb_alloc(NL_CB_DEFAULT), nl_cb_put);
    CHECK(callbacks != nullptr);
    nl_cb_set(callbacks.get(), NL_CB_VALID, NL_CB_CUSTOM, on_valid, &exchange);
    nl_cb_set(callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM, on_end, &exchange);
    nl_cb_set(callbacks.get(), NL_CB_FINISH, NL_CB_CUSTOM, on_end, &exchange);
    nl_cb_set(callbacks.get(), NL_CB_SEQ_CHECK, NL_CB_CUSTOM, on_any_sequence, &exchange);
    nl_cb_err(callbacks.get(), NL_CB_CUSTOM, on_error, &exchange);
    while (exchange.outstanding > 0) {
        const int error = nl_recvmsgs(socket_.get(), callbacks.get());
        if (error < 0 && exchange.error == 0) {
            return fail(ErrorCode::io, std::string(what) + ": " + nl_geterror(error));
        }
        if (exchange.error != 0) break;
    }
    if (exchange.error != 0) return fail_errno(what, exchange.error);
    return {};
}

}  // namespace myst::sys
