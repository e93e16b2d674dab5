// Randomness is injected, so that tests and simulations can repeat a run.
#pragma once

#include <cstdint>
#include <span>

namespace myst {

/// A source of unpredictable bytes. Safe to call from any thread.
class Rng {
public:
    virtual ~Rng() = default;
    /// Fills the whole span; never fails (an operating system without randomness ends the process).
    virtual void fill(std::span<std::uint8_t> out) = 0;
};

/// A fresh random value of a fixed-size byte type.
template <class Fixed>
[[nodiscard]] Fixed random_bytes(Rng& rng) {
    Fixed value;
    rng.fill(value.bytes);
    return value;
}

}  // namespace myst
