// What a relay says about itself (NIP-11), and the limits it enforces.
#pragma once

#include <string>

#include "myst/db/admission.hpp"
#include "myst/db/relay_auth.hpp"
#include "myst/db/relay_message.hpp"

namespace myst::db {

struct RelayLimits {
    std::size_t connections = 512;
    std::size_t connections_per_ip = 16;   ///< IPv6 addresses count by their /64
    std::size_t subscriptions = 16;        ///< per connection
    std::size_t filter_values = 512;       ///< per connection, in all lists of all filters, plus 8 for each filter
    std::size_t outgoing_messages = 1024;  ///< queued per connection; beyond it the connection is closed
    std::size_t outgoing_bytes = 1024 * 1024;
    std::uint32_t messages_per_second = 50;  ///< per connection; a quicker client is read more slowly
    std::uint32_t burst = 200;
    std::size_t query_records = 500;            ///< answered to one REQ
    std::size_t query_bytes = 4 * 1024 * 1024;  ///< of JSON, answered to one REQ
    std::size_t syncs = 1;                      ///< reconciliations at a time, per connection
    std::size_t sync_items = 500'000;           ///< in one reconciliation
    std::size_t sync_items_in_all = 1'000'000;  ///< in those of all connections; 40 bytes each
    milliseconds sync_timeout{30'000};          ///< between two messages of a reconciliation
    milliseconds idle_timeout{60'000};
    milliseconds handshake_timeout{10'000};
    milliseconds write_timeout{20'000};  ///< for a client that does not read
    MessageLimits message{};
};

/// For people and other software. It names nobody: a key of the operator would tell every scanner which provider and
/// which wallet live at this address.
struct RelayIdentity {
    std::string name = "Mysterium relay";
    std::string description = "Records of the Mysterium network: offers of VPN providers and session messages.";
    std::string version = "0.1.0";
};

/// The relay information document as JSON text.
[[nodiscard]] std::string relay_information(const RelayIdentity& identity, const RelayLimits& limits,
                                            const AdmissionPolicy& policy, const RelayAccess& access);

}  // namespace myst::db
