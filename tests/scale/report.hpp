// What a simulation measured.
#pragma once

#include <array>

#include "scale/world.hpp"

namespace myst::scale {

struct Report {
    std::uint64_t trace = 0;  ///< two runs with the same parameters have the same
    double seconds = 0;       ///< measured, of virtual time
    double nodes = 0;         ///< on average up
    Counters counters;
    std::uint64_t delay_p50_ms = 0;
    std::uint64_t delay_p99_ms = 0;
    std::uint64_t delay_p999_ms = 0;
    std::uint64_t hops_p50 = 0;
    std::uint64_t hops_p99 = 0;
    double missing_mean = 0;  ///< offers that a node that is up lacks or has in an old version
    std::uint64_t missing_most = 0;
    std::uint64_t missing_at_end = 0;          ///< (node, offer) pairs of nodes that are up
    std::optional<milliseconds> converged_in;  ///< after the partition, or after the store was lost
    double reach = 0;  ///< share of pairs of a light client and a light provider that have a relay in common

    /// Per node that is up and second, sent and received alike.
    [[nodiscard]] double bytes(Traffic traffic) const;
    [[nodiscard]] double bytes() const;
    /// Per node that is up and second.
    [[nodiscard]] double per_node(std::uint64_t count) const;
    /// Of one processor, by what was counted and what each costs.
    [[nodiscard]] double cores(const Costs& costs) const;
    /// Stored only after a reconciliation, of all that was stored.
    [[nodiscard]] double repaired() const;
};

}  // namespace myst::scale
