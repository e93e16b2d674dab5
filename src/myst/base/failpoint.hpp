// Named places in production code where a test can end the program or look on, to see what a crash there leaves behind.
// Outside of such a test a place costs one relaxed load.
#pragma once

#include <atomic>
#include <functional>
#include <string_view>

namespace myst {

/// Learns of every place that is reached, on the thread that reaches it. May end the program or throw.
using FailpointHook = std::function<void(std::string_view place)>;

namespace detail {
extern std::atomic<bool> failpoints_armed;
void report_failpoint(std::string_view place);
}  // namespace detail

/// Marks a place, named "component: what has just happened". Does nothing unless a test listens.
inline void failpoint(std::string_view place) {
    if (detail::failpoints_armed.load(std::memory_order_relaxed)) detail::report_failpoint(place);
}

/// For tests: while it lives, `hook` hears of all places. One at a time; no place may be reached while it is created or
/// destroyed.
class FailpointWatch {
public:
    explicit FailpointWatch(FailpointHook hook);
    ~FailpointWatch();
    FailpointWatch(const FailpointWatch&) = delete;
    FailpointWatch& operator=(const FailpointWatch&) = delete;
};

}  // namespace myst
