#include "myst/db/relay_message.hpp"

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include <fmt/format.h>

#include "myst/base/printable.hpp"
#include "myst/crypto/strict_json.hpp"
#include "myst/db/json_array.hpp"

namespace myst::db {
namespace {

constexpr std::size_t kMaxRelayText = 256;

std::string quote(std::string_view text) {
    return boost::json::serialize(boost::json::string(text.data(), text.size()));
}

Result<std::string> read_string(std::string_view json, std::size_t max_bytes, const char* what) {
    auto value = crypto::parse_json(json, max_bytes * 6 + 2);
    if (!value) return forward_error(value, what);
    const auto* text = value->if_string();
    if (text == nullptr || text->size() > max_bytes) {
        return fail(ErrorCode::invalid_data, std::string(what) + " is not a text of allowed length");
    }
    return std::string(text->data(), text->size());
}

/// A text of the other side, fit for a log line. Nothing if it is no text.
std::string read_remark(std::string_view json) {
    auto value = crypto::parse_json(json, 64 * 1024);
    if (!value || !value->is_string()) return "(unreadable)";
    const auto& whole = value->get_string();
    return printable({whole.data(), whole.size()}, kMaxRelayText);
}

tl::unexpected<BadMessage> notice(const std::string& reason) {
    return tl::unexpected<BadMessage>(BadMessage{encode_notice("invalid: " + reason)});
}

tl::unexpected<BadMessage> closed(const std::string& subscription, const std::string& reason) {
    return tl::unexpected<BadMessage>(BadMessage{encode_closed(subscription, "invalid: " + reason)});
}

tl::expected<ClientMessage, BadMessage> decode_event(std::string_view json, const MessageLimits& limits) {
    auto event = codec::parse_event(json, limits.event);
    if (!event) return notice(event.error().message);
    const Hash32 id = event->id;
    auto record = Record::verify(std::move(*event));
    if (!record) {
        return tl::unexpected<BadMessage>(BadMessage{encode_ok(id, false, "invalid: " + record.error().message)});
    }
    return EventMessage{std::move(*record)};
}

tl::expected<ClientMessage, BadMessage> decode_req(const std::vector<std::string_view>& parts,
                                                   const MessageLimits& limits) {
    auto name = read_string(parts[1], limits.max_subscription_id, "the subscription id");
    if (!name) return notice(name.error().message);
    if (name->empty()) return notice("the subscription id is empty");
    if (parts.size() < 3) return closed(*name, "a REQ needs a filter");
    if (parts.size() - 2 > limits.max_filters) return closed(*name, "too many filters in one REQ");
    ReqMessage message{std::move(*name), {}};
    for (std::size_t i = 2; i < parts.size(); ++i) {
        auto filter = codec::parse_filter(parts[i]);
        if (!filter) return closed(message.subscription, filter.error().message);
        message.filters.push_back(std::move(*filter));
    }
    return message;
}

/// What a NEG message carries.
Result<Bytes> read_message(std::string_view json, const MessageLimits& limits) {
    auto text = read_string(json, limits.max_message_bytes, "the message");
    if (!text) return forward_error(text);
    if (text->starts_with("0x")) return fail(ErrorCode::invalid_data, "the message is not plain hex");
    auto bytes = parse_hex(*text);
    if (!bytes) return forward_error(bytes, "the message");
    return bytes;
}

tl::unexpected<BadMessage> neg_error(const std::string& name, const std::string& reason) {
    return tl::unexpected<BadMessage>(BadMessage{encode_neg_error(name, "invalid: " + reason)});
}

tl::expected<ClientMessage, BadMessage> decode_neg(const std::vector<std::string_view>& parts,
                                                   const MessageLimits& limits) {
    auto name = read_string(parts[1], limits.max_subscription_id, "the id");
    if (!name) return notice(name.error().message);
    if (name->empty()) return notice("the id is empty");
    const auto& verb = parts.front();
    if (verb == R"("NEG-CLOSE")" && parts.size() == 2) return NegCloseMessage{std::move(*name)};
    const std::size_t needed = verb == R"("NEG-OPEN")" ? 4 : 3;
    if (parts.size() != needed) return neg_error(*name, "wrong number of elements");
    auto message = read_message(parts.back(), limits);
    if (!message) return neg_error(*name, message.error().message);
    if (needed == 3) return NegMessage{std::move(*name), std::move(*message)};
    auto filter = codec::parse_filter(parts[2]);
    if (!filter) return neg_error(*name, filter.error().message);
    return NegOpenMessage{std::move(*name), std::move(*filter), std::move(*message)};
}

Result<RelayMessage> decode_relay_neg(const std::vector<std::string_view>& parts, const MessageLimits& limits) {
    auto name = read_string(parts[1], limits.max_subscription_id, "the id");
    if (!name) return forward_error(name);
    if (parts[0] == R"("NEG-ERR")") return RelayNegError{std::move(*name), read_remark(parts[2])};
    auto message = read_message(parts[2], limits);
    if (!message) return forward_error(message);
    return NegMessage{std::move(*name), std::move(*message)};
}

Result<RelayMessage> decode_relay_event(const std::vector<std::string_view>& parts, const MessageLimits& limits) {
    auto name = read_string(parts[1], limits.max_subscription_id, "the subscription id");
    if (!name) return forward_error(name);
    auto record = Record::verify_json(parts[2], limits.event);
    if (!record) return forward_error(record);
    return RelayEvent{std::move(*name), std::move(*record)};
}

Result<RelayMessage> decode_ok(const std::vector<std::string_view>& parts) {
    auto text = read_string(parts[1], 2 * Hash32::kSize, "the event id");
    if (!text) return forward_error(text);
    auto id = Hash32::parse(*text);
    if (!id) return forward_error(id, "the event id");
    if (parts[2] != "true" && parts[2] != "false") {
        return fail(ErrorCode::invalid_data, "an OK without true or false");
    }
    return RelayOk{*id, parts[2] == "true", parts.size() > 3 ? read_remark(parts[3]) : ""};
}

}  // namespace

tl::expected<ClientMessage, BadMessage> decode_client_message(std::string_view text, const MessageLimits& limits) {
    if (text.size() > limits.max_message_bytes) return notice("the message is too large");
    // Elements beyond the filters are counted, not kept: too many filters get their own answer below.
    auto parts = split_json_array(text, limits.max_filters + 64);
    if (!parts) return notice(parts.error().message);
    if (parts->size() < 2) return notice("the message is too short");
    const auto& verb = parts->front();
    const bool with_event = verb == R"("EVENT")" || verb == R"("AUTH")";
    if (with_event && parts->size() == 2) {
        auto message = decode_event((*parts)[1], limits);
        if (!message || verb == R"("EVENT")") return message;
        return AuthMessage{std::move(std::get<EventMessage>(*message).record)};
    }
    if (verb == R"("REQ")") return decode_req(*parts, limits);
    if (verb == R"("CLOSE")" && parts->size() == 2) {
        auto name = read_string((*parts)[1], limits.max_subscription_id, "the subscription id");
        if (!name) return notice(name.error().message);
        return CloseMessage{std::move(*name)};
    }
    const bool neg = verb == R"("NEG-OPEN")" || verb == R"("NEG-MSG")" || verb == R"("NEG-CLOSE")";
    if (neg) return decode_neg(*parts, limits);
    return notice("unknown message; this relay knows EVENT, REQ, CLOSE, AUTH, NEG-OPEN, NEG-MSG and NEG-CLOSE");
}

Result<RelayMessage> decode_relay_message(std::string_view text, const MessageLimits& limits) {
    if (text.size() > limits.max_message_bytes) return fail(ErrorCode::limit_exceeded, "the message is too large");
    auto parts = split_json_array(text, 16);
    if (!parts) return forward_error(parts);
    const std::string_view verb = parts->empty() ? std::string_view() : parts->front();
    const std::size_t size = parts->size();
    if (verb == R"("EVENT")" && size == 3) return decode_relay_event(*parts, limits);
    if (verb == R"("OK")" && size >= 3) return decode_ok(*parts);
    if (verb == R"("AUTH")" && size == 2) {
        auto challenge = read_string((*parts)[1], kMaxRelayText, "the challenge");
        if (!challenge) return forward_error(challenge);
        return RelayChallenge{std::move(*challenge)};
    }
    if (verb == R"("NOTICE")" && size == 2) return RelayNotice{read_remark((*parts)[1])};
    const bool neg = verb == R"("NEG-MSG")" || verb == R"("NEG-ERR")";
    if (neg && size >= 3) return decode_relay_neg(*parts, limits);
    if ((verb == R"("EOSE")" && size == 2) || (verb == R"("CLOSED")" && size >= 2)) {
        auto name = read_string((*parts)[1], limits.max_subscription_id, "the subscription id");
        if (!name) return forward_error(name);
        if (verb == R"("EOSE")") return RelayEose{std::move(*name)};
        return RelayClosed{std::move(*name), size > 2 ? read_remark((*parts)[2]) : ""};
    }
    return RelayOther{};
}

std::string encode_event(std::string_view event_json) {
    return fmt::format(R"(["EVENT",{}])", event_json);
}

std::string encode_req(std::string_view subscription, const std::vector<codec::Filter>& filters) {
    std::string text = R"(["REQ",)" + quote(subscription);
    for (const auto& filter : filters) {
        text += ',';
        text += codec::to_json(filter);
    }
    return text + ']';
}

std::string encode_close(std::string_view subscription) {
    return R"(["CLOSE",)" + quote(subscription) + ']';
}

std::string encode_auth(std::string_view event_json) {
    return fmt::format(R"(["AUTH",{}])", event_json);
}

std::string encode_challenge(std::string_view challenge) {
    return R"(["AUTH",)" + quote(challenge) + ']';
}

std::string encode_relay_event(std::string_view subscription, std::string_view event_json) {
    return fmt::format(R"(["EVENT",{},{}])", quote(subscription), event_json);
}

std::optional<EventHead> peek_relay_event(std::string_view text) {
    constexpr std::string_view kBegin = R"(["EVENT",")";
    constexpr std::string_view kMiddle = R"(",{"id":")";
    if (!text.starts_with(kBegin)) return std::nullopt;
    text.remove_prefix(kBegin.size());
    const auto name = text.substr(0, text.find('"'));
    text.remove_prefix(name.size());
    if (!text.starts_with(kMiddle)) return std::nullopt;
    EventHead head{name, {}};
    const auto digits = text.substr(kMiddle.size(), 2 * head.id.bytes.size());
    if (!parse_hex_into(digits, head.id.bytes)) return std::nullopt;
    return head;
}

std::string encode_ok(const Hash32& id, bool accepted, std::string_view message) {
    return fmt::format(R"(["OK","{}",{},{}])", id.hex(), accepted, quote(message));
}

std::string encode_eose(std::string_view subscription) {
    return R"(["EOSE",)" + quote(subscription) + ']';
}

std::string encode_closed(std::string_view subscription, std::string_view message) {
    return R"(["CLOSED",)" + quote(subscription) + ',' + quote(message) + ']';
}

std::string encode_neg_open(std::string_view name, const codec::Filter& filter, BytesView message) {
    return fmt::format(R"(["NEG-OPEN",{},{},"{}"])", quote(name), codec::to_json(filter), to_hex(message));
}

std::string encode_neg_message(std::string_view name, BytesView message) {
    return fmt::format(R"(["NEG-MSG",{},"{}"])", quote(name), to_hex(message));
}

std::string encode_neg_close(std::string_view name) {
    return R"(["NEG-CLOSE",)" + quote(name) + ']';
}

std::string encode_neg_error(std::string_view name, std::string_view reason) {
    return R"(["NEG-ERR",)" + quote(name) + ',' + quote(reason) + ']';
}

std::string encode_notice(std::string_view message) {
    return R"(["NOTICE",)" + quote(message) + ']';
}

}  // namespace myst::db
