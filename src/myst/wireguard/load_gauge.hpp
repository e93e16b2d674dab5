// When the device counts as busy.
#pragma once

#include <cstddef>
#include <optional>

#include "myst/base/clock.hpp"

namespace myst::wireguard {

/// Busy: the queue of handshakes was more than an eighth full within the last second. One thread.
class LoadGauge {
public:
    /// Called by whoever owns the queue, whenever it takes something out of it.
    void report(std::size_t waiting, std::size_t capacity, MonotonicTime now) {
        if (waiting > capacity / 8) crowded_at_ = now;
    }
    [[nodiscard]] bool busy(MonotonicTime now) const { return crowded_at_ && now - *crowded_at_ < kSticky; }

private:
    static constexpr seconds kSticky{1};
    std::optional<MonotonicTime> crowded_at_;
};

}  // namespace myst::wireguard
