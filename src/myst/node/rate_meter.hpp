// How fast a counter has grown lately.
#pragma once

#include <cstdint>
#include <deque>

#include "myst/base/clock.hpp"

namespace myst::node {

/// The mean rate over the last two seconds, of a counter that somebody reads often. Keeps some forty readings.
class RateMeter {
public:
    /// `total` only grows, except after a new start, which begins anew.
    void observe(MonotonicTime now, std::uint64_t total);
    /// Units per second; 0 before the second reading, and when none is younger than two seconds.
    [[nodiscard]] std::uint64_t per_second(MonotonicTime now) const;

private:
    struct Reading {
        MonotonicTime time;
        std::uint64_t total = 0;
    };
    std::deque<Reading> readings_;  ///< oldest first
};

}  // namespace myst::node
