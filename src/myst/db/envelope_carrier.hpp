// Brings an envelope to somebody who may have no relay in common with this node, and waits for the answer
// (docs/records.md, "Relays of an offer").
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "myst/db/peer_lookup.hpp"
#include "myst/db/relay_client.hpp"
#include "myst/runtime/task_group.hpp"
#include "myst/sys/name_lookup.hpp"

namespace myst::db {
namespace detail {
struct Errand;
}

/// Control thread. Everything given by reference must outlive the carrier.
class EnvelopeCarrier {
public:
    struct Settings {
        AddressScope scope = AddressScope::public_only;  ///< of the addresses that a stranger may have called
        std::size_t visits = 4;                          ///< relays that are called for one envelope
        std::size_t all_visits = 16;                     ///< at a time, for all envelopes
        milliseconds step{3'000};  ///< for a name's lookup, and again for connecting and handing over
        LookUp look_up{};          ///< none: the system's resolver, on threads of their own
    };
    /// `client`: of the socket of each visit, the firewall mark among it; what belongs to a lasting connection, or
    /// tells who this node is, is not used.
    EnvelopeCarrier(asio::any_io_executor executor, const Clock& clock, Rng& rng, WorkerPool& workers,
                    RelayClient::Settings client, Settings settings);

    /// See ports::RecordNetwork::exchange. `own`: the node's network, of which publish and subscribe are used;
    /// `reached`: the relays to which it is connected, and which are therefore not called.
    [[nodiscard]] Task<Result<>> carry(ports::RecordNetwork& own, std::vector<RelayUrl> reached,
                                       ports::EnvelopeExchange exchange);

private:
    [[nodiscard]] std::vector<RelayUrl> choose(std::vector<std::string> named, const std::vector<RelayUrl>& reached);
    [[nodiscard]] RelayClient::Settings visitor(RelayUrl url, asio::ip::address address,
                                                const detail::Errand& errand) const;
    [[nodiscard]] Task<> visit(RelayUrl url, std::shared_ptr<detail::Errand> errand);
    [[nodiscard]] Task<Result<std::vector<asio::ip::address>>> look_up(std::string host);

    asio::any_io_executor executor_;
    const Clock& clock_;
    Rng& rng_;
    WorkerPool& workers_;
    const RelayClient::Settings client_;
    const Settings settings_;
    std::size_t visits_ = 0;  ///< under way
    /// Strangers choose the names, and one that is never answered occupies its thread; made when they are needed.
    std::vector<std::unique_ptr<sys::SideLookup>> names_;
};

}  // namespace myst::db
