#include "myst/runtime/task_group.hpp"

#include <map>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "myst/base/log.hpp"

namespace myst {

struct TaskGroup::State {
    explicit State(asio::any_io_executor ex) : executor(std::move(ex)), idle(executor) {
        idle.expires_at(asio::steady_timer::time_point::max());
    }
    asio::any_io_executor executor;
    asio::steady_timer idle;  ///< cancelled whenever the last child ends
    std::map<std::uint64_t, std::shared_ptr<asio::cancellation_signal>> children;
    std::uint64_t next_id = 0;
    bool cancelled = false;
};

TaskGroup::TaskGroup(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

TaskGroup::~TaskGroup() {
    if (!state_->children.empty()) cancel();
}

void TaskGroup::spawn(std::string name, Task<> task) {
    if (state_->cancelled) return;
    const auto id = state_->next_id++;
    auto signal = std::make_shared<asio::cancellation_signal>();
    state_->children.emplace(id, signal);
    auto on_end = [state = state_, id, signal, name = std::move(name)](std::exception_ptr error) {
        if (error && !is_cancellation(error)) log::error("task {} failed: {}", name, describe_exception(error));
        state->children.erase(id);
        if (state->children.empty()) state->idle.cancel();
    };
    asio::co_spawn(state_->executor, std::move(task), asio::bind_cancellation_slot(signal->slot(), std::move(on_end)));
}

void TaskGroup::cancel() {
    state_->cancelled = true;
    for (auto& [id, signal] : state_->children) {
        asio::post(state_->executor, [signal] { signal->emit(asio::cancellation_type::terminal); });
    }
}

Task<> TaskGroup::join() {
    const auto state = state_;
    bool interrupted = false;
    while (!state->children.empty()) {
        std::ignore = co_await state->idle.async_wait(no_throw);
        if (state->children.empty()) break;
        const auto cancellation = co_await asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != asio::cancellation_type::none && !interrupted) {
            interrupted = true;
            co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
            for (auto& [id, signal] : state->children) {
                asio::post(state->executor, [signal] { signal->emit(asio::cancellation_type::terminal); });
            }
            state->cancelled = true;
        }
    }
    if (interrupted) throw boost::system::system_error(asio::error::operation_aborted);
}

std::size_t TaskGroup::size() const {
    return state_->children.size();
}

}  // namespace myst
