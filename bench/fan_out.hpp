// Thousands of subscribers of one relay, over real sockets: what an update costs, and when it is there.
#pragma once

#include <cstdint>

#include "measure.hpp"

namespace myst::bench {

struct FanOut {
    std::size_t subscribers = 0;
    std::size_t updates_per_second = 0;
    std::uint64_t deliveries = 0;  ///< messages that reached a subscriber
    double p50_ms = 0;             ///< from the update's creation to its arrival at a subscriber
    double p99_ms = 0;
    double processor_share = 0;              ///< of one processor, taken by the relay while the updates came
    std::uint64_t bytes_per_subscriber = 0;  ///< of memory, kernel not counted
};

/// Runs a relay in this process, and its subscribers in another, which is this program called as
/// `PROGRAM --subscribers PORT COUNT`. Fewer than asked for if files may not be opened in such number.
[[nodiscard]] FanOut measure_fan_out();

/// What that other process does: subscribes, says "ready" on standard output, and when standard input ends, how many
/// messages came and how late they were.
[[nodiscard]] int run_subscribers(std::uint16_t port, std::size_t count);

}  // namespace myst::bench
