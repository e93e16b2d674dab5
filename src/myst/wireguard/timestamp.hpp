// TAI64N timestamps of initiations (https://cr.yp.to/libtai/tai64.html).
#pragma once

#include <algorithm>
#include <array>
#include <chrono>

#include "myst/wireguard/constants.hpp"

namespace myst::wireguard {

/// Wall-clock time as fine as the machine has it.
using WallTime = std::chrono::sys_time<nanoseconds>;

/// Seconds and nanoseconds, big-endian: compares like the time it means.
using Timestamp = std::array<std::uint8_t, 12>;

[[nodiscard]] Timestamp to_timestamp(WallTime time);

/// Gives every initiation to a peer a timestamp greater than the one before, rounded so that it tells the clock to 17
/// ms only.
class TimestampSource {
public:
    [[nodiscard]] Timestamp next(WallTime now) {
        const auto steps = now.time_since_epoch() / kTimestampStep;
        last_ = std::max(last_ + 1, steps);
        return to_timestamp(WallTime(last_ * kTimestampStep));
    }

    /// The next one is greater than those of `other`, too.
    void go_on_from(const TimestampSource& other) { last_ = std::max(last_, other.last_); }

private:
    std::int64_t last_ = 0;  ///< in steps since 1970
};

}  // namespace myst::wireguard
