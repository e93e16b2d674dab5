// The messages of NIP-01, NIP-42 and NIP-77, both ways. Pure text in and out; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "myst/codec/filter.hpp"
#include "myst/db/record.hpp"

namespace myst::db {

/// Limits of what a relay reads, and announces in its information document.
struct MessageLimits {
    std::size_t max_message_bytes = 128 * 1024;
    std::size_t max_subscription_id = 64;  ///< bytes; NIP-01 says 64
    std::size_t max_filters = 10;          ///< in one REQ
    codec::EventLimits event{};
};

// Client to relay.
struct EventMessage {
    SharedRecord record;
};
struct ReqMessage {
    std::string subscription;
    std::vector<codec::Filter> filters;
};
struct CloseMessage {
    std::string subscription;
};
/// Begins a set reconciliation.
struct NegOpenMessage {
    std::string name;
    codec::Filter filter;
    Bytes message;
};
/// Goes on with one; the relay answers with the same.
struct NegMessage {
    std::string name;
    Bytes message;
};
struct NegCloseMessage {
    std::string name;
};
/// The answer to a challenge (NIP-42).
struct AuthMessage {
    SharedRecord record;
};
using ClientMessage =
    std::variant<EventMessage, ReqMessage, CloseMessage, NegOpenMessage, NegMessage, NegCloseMessage, AuthMessage>;

/// A client's message that cannot be used, and how the relay answers.
struct BadMessage {
    std::string reply;  ///< OK, CLOSED, NEG-ERR or NOTICE, as JSON
};

/// Decodes and, for an EVENT, verifies id and signature: up to a millisecond for the largest message, so not work for
/// the control thread. On failure the reply names the event or the subscription if that much could be read.
[[nodiscard]] tl::expected<ClientMessage, BadMessage> decode_client_message(std::string_view text,
                                                                            const MessageLimits& limits);

// Relay to client.
struct RelayEvent {
    std::string subscription;
    SharedRecord record;  ///< verified
};
struct RelayOk {
    Hash32 id;
    bool accepted = false;
    std::string message;
};
struct RelayEose {
    std::string subscription;
};
struct RelayClosed {
    std::string subscription;
    std::string message;
};
struct RelayNotice {
    std::string message;
};
/// The relay has ended a set reconciliation, or refused to begin one.
struct RelayNegError {
    std::string name;
    std::string message;
};
/// What the client has to sign if it wants to prove who it is (NIP-42).
struct RelayChallenge {
    std::string text;
};
/// A message of a kind that this client does not use.
struct RelayOther {};
using RelayMessage = std::variant<RelayEvent, RelayOk, RelayEose, RelayClosed, RelayNotice, NegMessage, RelayNegError,
                                  RelayChallenge, RelayOther>;

/// Decodes and, for an EVENT, verifies. Texts from the relay are shortened to 256 bytes and freed of control
/// characters, since they end up in logs and status displays.
[[nodiscard]] Result<RelayMessage> decode_relay_message(std::string_view text, const MessageLimits& limits);

/// Subscription and id of an EVENT, if they stand where relays of ours write them; the rest has not been looked at.
struct EventHead {
    std::string_view subscription;
    Hash32 id;
};
[[nodiscard]] std::optional<EventHead> peek_relay_event(std::string_view text);

[[nodiscard]] std::string encode_event(std::string_view event_json);
[[nodiscard]] std::string encode_req(std::string_view subscription, const std::vector<codec::Filter>& filters);
[[nodiscard]] std::string encode_close(std::string_view subscription);
[[nodiscard]] std::string encode_auth(std::string_view event_json);
[[nodiscard]] std::string encode_challenge(std::string_view challenge);
[[nodiscard]] std::string encode_relay_event(std::string_view subscription, std::string_view event_json);
[[nodiscard]] std::string encode_ok(const Hash32& id, bool accepted, std::string_view message);
[[nodiscard]] std::string encode_eose(std::string_view subscription);
[[nodiscard]] std::string encode_closed(std::string_view subscription, std::string_view message);
[[nodiscard]] std::string encode_neg_open(std::string_view name, const codec::Filter& filter, BytesView message);
[[nodiscard]] std::string encode_neg_message(std::string_view name, BytesView message);
[[nodiscard]] std::string encode_neg_close(std::string_view name);
[[nodiscard]] std::string encode_neg_error(std::string_view name, std::string_view reason);
[[nodiscard]] std::string encode_notice(std::string_view message);

}  // namespace myst::db
