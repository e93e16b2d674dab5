// Deadlines for tasks. This is the only place that races a task against a timer.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "myst/base/error.hpp"
#include "myst/runtime/task.hpp"

namespace myst {
namespace detail {

template <class T>
struct Race {
    explicit Race(const asio::any_io_executor& executor) : finished(executor), deadline(executor) {
        finished.expires_at(asio::steady_timer::time_point::max());
    }
    asio::cancellation_signal signal;  ///< on the heap, outside the child's frame
    asio::steady_timer finished;       ///< cancelled when the child ends
    asio::steady_timer deadline;
    std::optional<T> value;
    std::exception_ptr error;
    bool ended = false;
    bool expired = false;
};

template <class T>
Task<> run_into(std::shared_ptr<Race<T>> race, Task<T> child) {
    race->value.emplace(co_await std::move(child));
}

template <class T>
void cancel_later(const asio::any_io_executor& executor, std::shared_ptr<Race<T>> race) {
    asio::post(executor, [race] {
        if (!race->ended) race->signal.emit(asio::cancellation_type::terminal);
    });
}

}  // namespace detail

/// Runs `child` for at most `limit`, then cancels it and reports ErrorCode::timeout with `what` as message.
/// The child has always ended when this returns. If the caller is cancelled, the child is cancelled first.
template <class T>
[[nodiscard]] Task<Result<T>> with_timeout(Task<Result<T>> child, milliseconds limit, std::string what) {
    using Child = Result<T>;
    const auto executor = co_await asio::this_coro::executor;
    auto race = std::make_shared<detail::Race<Child>>(executor);
    race->deadline.expires_after(limit);
    race->deadline.async_wait([race, executor](const boost::system::error_code& ec) {
        if (ec || race->ended) return;
        race->expired = true;
        detail::cancel_later(executor, race);
    });
    auto on_end = [race](std::exception_ptr error) {
        race->error = error;
        race->ended = true;
        race->deadline.cancel();
        race->finished.cancel();
    };
    auto task = detail::run_into(race, std::move(child));
    asio::co_spawn(executor, std::move(task), asio::bind_cancellation_slot(race->signal.slot(), std::move(on_end)));
    bool interrupted = false;
    while (!race->ended) {
        std::ignore = co_await race->finished.async_wait(no_throw);
        if (race->ended) break;
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none && !interrupted) {
            interrupted = true;
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
            detail::cancel_later(executor, race);
        }
    }
    if (interrupted) throw boost::system::system_error(asio::error::operation_aborted);
    if (race->value) co_return std::move(*race->value);
    if (race->expired && is_cancellation(race->error)) co_return fail(ErrorCode::timeout, std::move(what));
    std::rethrow_exception(race->error);
}

}  // namespace myst
