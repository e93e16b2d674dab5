// Publishes the own node record, again and again (docs/records.md, kind 10510).
#pragma once

#include <functional>

#include "myst/base/clock.hpp"
#include "myst/db/node_record.hpp"
#include "myst/ports/record_network.hpp"

namespace myst::db {

/// Control thread. Everything given by reference must outlive it.
class NodeAnnouncer {
public:
    struct Settings {
        NodeRecord record;                ///< its times are not used
        seconds life{3 * 3600};           ///< of each version
        milliseconds interval{3600'000};  ///< between two versions, give or take a quarter
        milliseconds retry{60'000};       ///< after a failure
    };
    /// Puts in what relays ask of the node's records (work), and signs with the node key.
    using Signer = std::function<Task<Result<codec::Event>>(codec::Event)>;
    NodeAnnouncer(ports::RecordNetwork& network, Signer sign, const Clock& clock, Rng& rng, Settings settings);

    /// Publishes until cancelled.
    [[nodiscard]] Task<> run();

private:
    [[nodiscard]] Task<Result<>> publish();

    ports::RecordNetwork& network_;
    const Signer sign_;
    const Clock& clock_;
    Rng& rng_;
    const Settings settings_;
};

}  // namespace myst::db
