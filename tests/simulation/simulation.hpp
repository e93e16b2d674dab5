// One run of the simulation: everything follows from the seed.
#pragma once

#include "world.hpp"

namespace myst::sim {

struct Outcome {
    std::uint64_t trace = 0;    ///< two runs of one seed have the same
    std::string violation;      ///< the first promise that was broken; empty if none was
    milliseconds settled_in{};  ///< simulated time from the last fault until nothing was left to do
};

/// `tell`: prints what happens.
[[nodiscard]] Outcome simulate(std::uint64_t seed, Tally& tally, bool tell = false);

}  // namespace myst::sim
