// What is simulated. Everything else follows from it, the seed included.
#pragma once

#include <cstdint>
#include <optional>

#include "myst/base/clock.hpp"

namespace myst::scale {

struct Parameters {
    std::uint64_t seed = 1;
    std::uint32_t nodes = 1'000;  ///< full nodes
    std::uint32_t peers = 4;      ///< configured in each of them
    std::uint32_t providers = 2'000;
    std::uint32_t own_providers = 500;    ///< of them, how many are full nodes themselves; at most `nodes`
    std::uint32_t author_relays = 2;      ///< relays of a provider that is a light node, and of a light client
    std::uint32_t searches_per_hour = 0;  ///< of all light clients together

    // As in node/provider.cpp and db/full_network.hpp.
    seconds refresh{15 * 60};
    seconds lifetime{3600};
    seconds reconcile{5 * 60};

    seconds warm_up{60};
    seconds measured{1800};
    seconds sample_every{60};
    seconds drain{0};  ///< at the end: nothing is published and nothing breaks

    // Means; none: never.
    seconds node_up{0};
    seconds node_down{300};
    seconds connection{0};              ///< until a connection breaks by itself
    std::uint32_t lost_per_mille = 10;  ///< messages that TCP has to send again

    /// From the start of measuring on, half of the nodes cannot reach the other half.
    seconds split{0};
    /// At the start of measuring node 0 loses its store.
    bool forget = false;
};

}  // namespace myst::scale
