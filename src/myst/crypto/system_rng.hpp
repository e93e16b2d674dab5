// The operating system's random numbers (getrandom(2)).
#pragma once

#include "myst/base/rng.hpp"

namespace myst::crypto {

class SystemRng final : public Rng {
public:
    void fill(std::span<std::uint8_t> out) override;
};

}  // namespace myst::crypto
