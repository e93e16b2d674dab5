// Structured concurrency: every task that outlives the expression that started it belongs to a TaskGroup.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>

#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "myst/runtime/task.hpp"

namespace myst {

/// Owns running tasks. Lives on the control thread; not thread-safe. `join` must have returned before the
/// destructor runs, unless the io_context itself is gone.
///
/// Cancellation signals live on the heap, apart from the coroutine frames, and are emitted from a posted handler:
/// Asio 1.26 keeps a raw pointer into the handler otherwise (see docs/adr/0002-async.md).
class TaskGroup {
public:
    explicit TaskGroup(asio::any_io_executor executor);
    ~TaskGroup();
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;

    /// Starts a task. `name` appears in the log if it fails with an exception other than cancellation.
    /// A task given after `cancel` is dropped without running.
    void spawn(std::string name, Task<> task);
    /// Asks every task to unwind; returns at once.
    void cancel();
    /// Waits until no task is left. If the waiting task is itself cancelled, it cancels the group and still waits. But
    /// one that was cancelled before, while it awaited what cannot be interrupted (a job of a WorkerPool), does not get
    /// here: it has to `co_await unwind_if_cancelled()` before it spawns what uses its own variables.
    [[nodiscard]] Task<> join();
    [[nodiscard]] std::size_t size() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

/// Runs `body` beside the tasks of `children` and leaves none of them behind: however the body ends (value, exception
/// or cancellation), `stop` is called once, the group is cancelled and joined, and only then the outcome passed on.
/// `stop` closes what children wait on; it must not throw. The group takes no further tasks afterwards.
template <class T>
[[nodiscard]] Task<T> with_children(Task<T> body, TaskGroup& children, std::function<void()> stop) {
    std::conditional_t<std::is_void_v<T>, std::monostate, std::optional<T>> value;
    std::exception_ptr failure;
    try {
        if constexpr (std::is_void_v<T>) {
            co_await std::move(body);
        } else {
            value.emplace(co_await std::move(body));
        }
    } catch (...) {
        failure = std::current_exception();
    }
    // In a cancelled task every further co_await would throw, before the children are gone.
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool interrupted = state.cancelled() != asio::cancellation_type::none;
    if (interrupted) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    stop();
    children.cancel();
    co_await children.join();
    if (failure) std::rethrow_exception(failure);
    if (interrupted) throw boost::system::system_error(asio::error::operation_aborted);
    if constexpr (!std::is_void_v<T>) co_return std::move(*value);
}

}  // namespace myst
