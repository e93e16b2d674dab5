// Asks several endpoints the same thing at the same time, no more of them than needed.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "myst/runtime/event_signal.hpp"
#include "myst/runtime/task_group.hpp"

namespace myst::chain {

template <class T>
struct Answer {
    std::size_t endpoint;
    T value;
};

/// What `gather` needs to know.
template <class T>
struct Inquiry {
    std::vector<std::size_t> order;  ///< whom to ask, the preferred ones first
    std::function<Task<T>(std::size_t)> ask;
    /// How many more answers are wanted, at least; zero ends the inquiry, and whoever has not answered is cut off.
    std::function<std::size_t(const std::vector<Answer<T>>&)> wanted;
    milliseconds patience{};  ///< without an answer for so long, one more is asked, and `wanted` again
};

namespace detail {

template <class T>
struct Gathering {
    explicit Gathering(const asio::any_io_executor& executor) : arrived(executor) {}
    EventSignal arrived;
    std::vector<Answer<T>> answers;
};

template <class T>
Task<> ask_one(Task<T> question, std::size_t endpoint, std::shared_ptr<Gathering<T>> gathering) {
    auto value = co_await std::move(question);
    gathering->answers.push_back({endpoint, std::move(value)});
    gathering->arrived.notify();
}

template <class T>
Task<std::vector<Answer<T>>> collect(Inquiry<T> inquiry, std::shared_ptr<Gathering<T>> gathering, TaskGroup& children) {
    std::size_t asked = 0;
    const auto ask_next = [&] {
        const auto endpoint = inquiry.order[asked++];
        children.spawn("endpoint", ask_one(inquiry.ask(endpoint), endpoint, gathering));
    };
    for (;;) {
        const auto& answers = gathering->answers;
        const auto missing = inquiry.wanted(answers);
        if (missing == 0) break;
        if (asked < inquiry.order.size() && asked - answers.size() < missing) {
            ask_next();
            continue;  // it may have answered already
        }
        if (asked == answers.size()) break;
        const bool news = co_await gathering->arrived.wait(inquiry.patience);
        if (!news && asked < inquiry.order.size()) ask_next();
    }
    co_return std::move(gathering->answers);
}

}  // namespace detail

/// Asks as many endpoints at once as answers are wanted, and further ones when an answer does not help, or none comes.
/// Returns what has arrived when nothing more is wanted or nobody is left. Control thread.
template <class T>
[[nodiscard]] Task<std::vector<Answer<T>>> gather(Inquiry<T> inquiry) {
    const auto executor = co_await asio::this_coro::executor;
    TaskGroup children(executor);
    auto gathering = std::make_shared<detail::Gathering<T>>(executor);
    auto body = detail::collect<T>(std::move(inquiry), std::move(gathering), children);
    co_return co_await with_children(std::move(body), children, [] {});
}

}  // namespace myst::chain
