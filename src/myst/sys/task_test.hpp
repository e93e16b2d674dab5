// For tests: runs one task on an io_context that also serves others.
#pragma once

#include <exception>
#include <optional>

#include "myst/runtime/run_task.hpp"

namespace myst::sys::testing {

/// Runs the io_context until `task` has ended, and rethrows what it threw. Other tasks stay where they are.
inline void run_task(asio::io_context& context, Task<> task) {
    if (const auto error = myst::run_task(context, std::move(task))) std::rethrow_exception(error);
}

/// The same for a task with a result.
template <class T>
T run_value(asio::io_context& context, Task<T> task) {
    std::optional<T> result;
    auto store = [](Task<T> from, std::optional<T>& to) -> Task<> { to.emplace(co_await std::move(from)); };
    run_task(context, store(std::move(task), result));
    return std::move(*result);
}

/// Lets everything that was closed or cancelled end.
inline void drain(asio::io_context& context) {
    context.restart();
    context.run();
}

}  // namespace myst::sys::testing
