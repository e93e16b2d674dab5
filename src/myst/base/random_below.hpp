// Uniform choices from an injected source of randomness.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "myst/base/check.hpp"
#include "myst/base/rng.hpp"

namespace myst {

/// A number from 0 up to, not including, `limit` (> 0), all equally likely.
[[nodiscard]] inline std::uint64_t random_below(Rng& rng, std::uint64_t limit) {
    CHECK(limit > 0);
    constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
    const std::uint64_t whole = kMax - kMax % limit;  // beyond it the low numbers would be likelier
    for (;;) {
        std::array<std::uint8_t, 8> bytes{};
        rng.fill(bytes);
        std::uint64_t value = 0;
        for (const auto byte : bytes) value = value << 8 | byte;
        if (value < whole) return value % limit;
    }
}

}  // namespace myst
