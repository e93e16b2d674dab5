// The bridge from main() to coroutines.
#pragma once

#include <exception>

#include <boost/asio/io_context.hpp>

#include "myst/runtime/task.hpp"

namespace myst {

/// Runs the context on this thread until `task` has ended, then stops it; other tasks stay where they are. Returns
/// the exception that ended the task, or null. May be called again on the same context.
[[nodiscard]] std::exception_ptr run_task(asio::io_context& context, Task<> task);

}  // namespace myst
