// A wake-up for tasks on the control thread: "something changed, look again".
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "myst/runtime/task.hpp"

namespace myst {

/// Wakes waiting tasks. A `notify` with nobody waiting is remembered for the next `wait`. Control thread only.
class EventSignal {
public:
    explicit EventSignal(const asio::any_io_executor& executor) : timer_(executor) {}

    void notify() {
        pending_ = true;
        timer_.cancel();
    }
    /// Waits for a notification. Cancellation unwinds.
    [[nodiscard]] Task<> wait() {
        while (!pending_) {
            timer_.expires_at(asio::steady_timer::time_point::max());
            std::ignore = co_await timer_.async_wait(no_throw);
            co_await unwind_if_cancelled();
        }
        pending_ = false;
    }
    /// Waits for a notification, at most `limit`; returns whether there was one. Cancellation unwinds.
    [[nodiscard]] Task<bool> wait(milliseconds limit) {
        if (!pending_) {
            timer_.expires_after(limit);
            std::ignore = co_await timer_.async_wait(no_throw);
            co_await unwind_if_cancelled();
        }
        co_return std::exchange(pending_, false);
    }

private:
    asio::steady_timer timer_;
    bool pending_ = false;
};

}  // namespace myst
