// Virtual time: events in order of time, those of the same time in the order in which they were asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <map>

#include "myst/base/clock.hpp"

namespace myst::sim {

/// When a run begins.
inline constexpr UnixTime kBegin{seconds(1'700'000'000)};

class Engine {
public:
    using Action = std::function<void()>;

    [[nodiscard]] milliseconds now() const { return now_; }
    void after(milliseconds delay, Action action) {
        events_.emplace(std::pair(now_ + delay, next_++), std::move(action));
    }
    /// Goes to the next event and runs it; false if there is none.
    bool step() {
        if (events_.empty()) return false;
        auto event = events_.extract(events_.begin());
        now_ = event.key().first;
        event.mapped()();
        return true;
    }

private:
    milliseconds now_{0};
    std::uint64_t next_ = 0;
    std::map<std::pair<milliseconds, std::uint64_t>, Action> events_;
};

/// The virtual time as the product reads it.
class EngineClock final : public Clock {
public:
    explicit EngineClock(const Engine& engine) : engine_(engine) {}
    [[nodiscard]] UnixTime unix_now() const override { return std::chrono::floor<seconds>(kBegin + engine_.now()); }
    [[nodiscard]] MonotonicTime now() const override { return MonotonicTime(engine_.now()); }

private:
    const Engine& engine_;
};

}  // namespace myst::sim
