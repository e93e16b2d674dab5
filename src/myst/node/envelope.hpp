// Envelopes (docs/protocol.md section 1): request, acceptance and refusal of a session, ping and pong, and the
// encrypted records that carry them.
#pragma once

#include <variant>

#include "myst/codec/event.hpp"
#include "myst/codec/record_kinds.hpp"
#include "myst/codec/voucher.hpp"
#include "myst/pay/tariff.hpp"
#include "myst/ports/tunnel.hpp"

namespace myst::node {

using codec::kEnvelopeKind;

struct SessionRequest {
    SessionId id;
    std::string service;
    Address signer;
    TunnelKey tunnel_key;
    UnixTime created{};
    pay::Tariff tariff;  ///< the price the consumer agreed to
    crypto::CompactSignature signature;
    bool operator==(const SessionRequest&) const = default;
};

struct SessionAccept {
    SessionId id;
    ports::TunnelOffer offer;
    std::uint64_t credit_bytes = 0;
    Address payee;
    std::uint32_t epoch = 0;
};

/// Why a provider says no.
enum class RejectCode { price, funds, full, request, unavailable };
[[nodiscard]] std::string_view to_string(RejectCode code);

struct SessionReject {
    SessionId id;
    RejectCode code{};
    std::string message;
    bool operator==(const SessionReject&) const = default;
};

/// Asks a provider for a sign of life, and is answered with a Pong of the same id (docs/protocol.md).
struct Ping {
    SessionId id;
    bool operator==(const Ping&) const = default;
};
struct Pong {
    SessionId id;
    bool operator==(const Pong&) const = default;
};

using Envelope = std::variant<SessionRequest, SessionAccept, SessionReject, Ping, Pong>;

[[nodiscard]] std::string to_json(const Envelope& envelope);
/// Strict; endpoints must be public IPv4 addresses with a port, resolvers public IPv4 addresses or the provider's
/// address inside the tunnel, so that nobody can be pointed at a machine in his own network. Which addresses there are
/// inside a tunnel is for its driver to judge.
[[nodiscard]] Result<Envelope> parse_envelope(std::string_view json);

/// Encrypts for `to` and signs.
[[nodiscard]] Result<codec::Event> seal_envelope(const Envelope& envelope, const crypto::PrivateKey& from,
                                                 const NodeKey& to, UnixTime now, Rng& rng);
/// Decrypts a record addressed to `to`.
[[nodiscard]] Result<Envelope> open_envelope(const codec::Event& event, const crypto::PrivateKey& to);

}  // namespace myst::node
