// Coroutines of the control thread. One io_context, one thread: no locks among tasks.
#pragma once

#include <exception>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "myst/base/clock.hpp"

namespace myst {

namespace asio = boost::asio;

/// A coroutine that runs on the control thread. Cancellation unwinds it with boost::system::system_error
/// (operation_aborted); every other failure is a Result.
template <class T = void>
using Task = asio::awaitable<T>;

/// Completion token that turns an error code into a value: `auto [ec, n] = co_await op(no_throw);`
/// Cancellation then comes as ec == operation_aborted, and the next plain co_await throws.
inline constexpr auto no_throw = asio::as_tuple(asio::use_awaitable);

/// Suspends for `duration`; cancellation unwinds.
[[nodiscard]] Task<> sleep_for(milliseconds duration);

/// Unwinds if the awaiting task was cancelled. To be awaited after an operation with `no_throw` has failed: an
/// operation that somebody else aborted ends with operation_aborted, too, and that is a failure like any other.
[[nodiscard]] Task<> unwind_if_cancelled();

/// Whether this exception is the unwinding of a cancelled task.
[[nodiscard]] bool is_cancellation(const std::exception_ptr& error);

/// What an exception says, for a log line.
[[nodiscard]] std::string describe_exception(const std::exception_ptr& error);

}  // namespace myst
