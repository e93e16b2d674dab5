// Pauses between attempts: exponential, and with jitter where many clients must not come back at the same moment.
#pragma once

#include <algorithm>
#include <array>

#include "myst/base/clock.hpp"
#include "myst/base/rng.hpp"

namespace myst {

/// `first`, doubled that many times, but not beyond `last`.
[[nodiscard]] constexpr milliseconds doubled(milliseconds first, unsigned times, milliseconds last) {
    for (; times > 0 && first > milliseconds(0) && first < last; --times) first *= 2;
    return std::min(first, last);
}

/// Doubles from `first` to `last`; every pause is between half of the current step and the whole.
class Backoff {
public:
    Backoff(milliseconds first, milliseconds last, Rng& rng) : first_(first), last_(last), step_(first), rng_(rng) {}

    /// Before the first attempt, where many may begin at the same moment: anything below `first`.
    [[nodiscard]] milliseconds start() { return part_of(first_); }
    [[nodiscard]] milliseconds next() {
        const milliseconds pause = step_ / 2 + part_of(step_ - step_ / 2);
        step_ = std::min(step_ * 2, last_);
        return pause;
    }
    void reset() { step_ = first_; }

private:
    [[nodiscard]] milliseconds part_of(milliseconds whole) {
        std::array<std::uint8_t, 2> bytes{};
        rng_.fill(bytes);
        return whole * (bytes[0] * 256 + bytes[1]) / 65536;
    }
    milliseconds first_;
    milliseconds last_;
    milliseconds step_;
    Rng& rng_;
};

}  // namespace myst
