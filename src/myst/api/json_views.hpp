// What node::Control answers, as the JSON texts of openapi.json. Every body is one object with "v": 1.
#pragma once

#include <string>
#include <vector>

#include "myst/node/control.hpp"

namespace myst::api {

/// Version of the response schema.
inline constexpr int kSchemaVersion = 1;

[[nodiscard]] std::string health_body();
[[nodiscard]] std::string error_body(const Error& error);
[[nodiscard]] std::string body_of(const node::NodeStatus& status);
[[nodiscard]] std::string body_of(const node::WalletInfo& wallet);
[[nodiscard]] std::string body_of(const node::WalletBalance& balance);
[[nodiscard]] std::string body_of(const node::DepositResult& result);
[[nodiscard]] std::string body_of(const node::WithdrawResult& result);
[[nodiscard]] std::string body_of(const std::vector<node::Reservation>& reservations);
[[nodiscard]] std::string body_of(const node::ReleaseResult& result);
[[nodiscard]] std::string body_of(const node::OfferPage& page);
[[nodiscard]] std::string body_of(const node::LatencyRound& round);
[[nodiscard]] std::string body_of(const node::ConnectionStatus& connection);
[[nodiscard]] std::string body_of(const node::ProviderStatus& provider);
[[nodiscard]] std::string body_of(const std::vector<node::ProvidedSession>& sessions);
[[nodiscard]] std::string body_of(const node::ProviderLimits& limits);
[[nodiscard]] std::string body_of(const node::SettleResult& result);
[[nodiscard]] std::string body_of(const node::UnregisterResult& result);
[[nodiscard]] std::string body_of(const node::RevokeResult& result);

/// Messages of the event stream: "proposal", "proposal_gone" or "proposals_complete"; and "error", why it ends.
[[nodiscard]] std::string event_of(const node::OfferChange& change);
[[nodiscard]] std::string event_of(const Error& error);

/// "2023-11-14T22:13:20Z"
[[nodiscard]] std::string iso8601(UnixTime time);

}  // namespace myst::api
