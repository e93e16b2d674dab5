// Time is injected, so that the same code runs under a simulated clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace myst {

/// Seconds since 1970-01-01 UTC, as records, vouchers and the chain use them.
using UnixTime = std::chrono::sys_seconds;
/// A point on a clock that never steps back.
using MonotonicTime = std::chrono::steady_clock::time_point;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Where the time comes from. Safe to read from any thread.
class Clock {
public:
    virtual ~Clock() = default;
    /// Wall-clock time; may step.
    [[nodiscard]] virtual UnixTime unix_now() const = 0;
    /// Time for measuring durations; never steps back.
    [[nodiscard]] virtual MonotonicTime now() const = 0;
};

/// The operating system's clocks.
class SystemClock final : public Clock {
public:
    [[nodiscard]] UnixTime unix_now() const override {
        return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    }
    [[nodiscard]] MonotonicTime now() const override { return std::chrono::steady_clock::now(); }
};

/// A clock that moves only when told to; for tests and simulation. Not thread-safe.
class ManualClock final : public Clock {
public:
    explicit ManualClock(UnixTime start = UnixTime(seconds(1'700'000'000))) : unix_(start) {}
    [[nodiscard]] UnixTime unix_now() const override { return std::chrono::floor<std::chrono::seconds>(unix_); }
    [[nodiscard]] MonotonicTime now() const override { return monotonic_; }
    /// Moves both clocks forward.
    void advance(milliseconds by) {
        unix_ += by;
        monotonic_ += by;
    }

private:
    std::chrono::sys_time<milliseconds> unix_;
    MonotonicTime monotonic_{};
};

/// The number that goes on the wire.
[[nodiscard]] inline std::uint64_t to_unix_seconds(UnixTime time) {
    return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

/// "2023-11-14 22:13:20 UTC", for messages.
[[nodiscard]] std::string utc_text(UnixTime time);

}  // namespace myst
