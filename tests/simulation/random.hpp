// The only source of chance in a simulation: the same seed gives the same run on every machine.
#pragma once

#include "myst/base/rng.hpp"

namespace myst::sim {

/// SplitMix64. Not for keys outside a simulation.
class Random final : public Rng {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    /// 0 … n − 1; n is not zero.
    std::uint64_t below(std::uint64_t n) { return next() % n; }
    /// Both ends included.
    std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
    bool chance(std::uint64_t per_mille) { return below(1000) < per_mille; }
    void fill(std::span<std::uint8_t> out) override {
        for (auto& byte : out) byte = static_cast<std::uint8_t>(next());
    }

private:
    std::uint64_t state_;
};

}  // namespace myst::sim
