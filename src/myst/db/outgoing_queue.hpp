// Messages that wait to be written to one connection. Bounded: whoever fills it decides what overflow means.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "myst/runtime/event_signal.hpp"

namespace myst::db {

using SharedText = std::shared_ptr<const std::string>;

/// One producer side, one consumer. Control thread.
class OutgoingQueue {
public:
    OutgoingQueue(const asio::any_io_executor& executor, std::size_t max_messages, std::size_t max_bytes)
        : max_messages_(max_messages), max_bytes_(max_bytes), filled_(executor), drained_(executor) {}

    /// False if there is no room; the message is not queued then. An empty queue takes a message of any size.
    [[nodiscard]] bool push(SharedText message) {
        const std::size_t size = message->size();
        if (!messages_.empty() && (messages_.size() >= max_messages_ || bytes_ + size > max_bytes_)) return false;
        bytes_ += size;
        messages_.push_back(std::move(message));
        filled_.notify();
        return true;
    }
    /// Waits until something was queued, then takes it.
    [[nodiscard]] Task<SharedText> pop() {
        while (messages_.empty()) co_await filled_.wait();
        auto message = std::move(messages_.front());
        messages_.pop_front();
        bytes_ -= message->size();
        drained_.notify();
        co_return message;
    }
    /// Waits until the queue is at most half full, at most `limit`; returns whether it is.
    [[nodiscard]] Task<bool> wait_for_room(milliseconds limit) {
        if (half_empty()) co_return true;
        const auto deadline = std::chrono::steady_clock::now() + limit;
        while (!half_empty()) {
            const auto left = std::chrono::ceil<milliseconds>(deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0) co_return false;
            std::ignore = co_await drained_.wait(left);
        }
        co_return true;
    }
    void clear() {
        messages_.clear();
        bytes_ = 0;
    }

private:
    [[nodiscard]] bool half_empty() const { return messages_.size() * 2 <= max_messages_ && bytes_ * 2 <= max_bytes_; }

    std::size_t max_messages_;
    std::size_t max_bytes_;
    std::size_t bytes_ = 0;
    std::deque<SharedText> messages_;
    EventSignal filled_;
    EventSignal drained_;
};

}  // namespace myst::db
