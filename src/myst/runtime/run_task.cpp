#include "myst/runtime/run_task.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>

namespace myst {

std::exception_ptr run_task(asio::io_context& context, Task<> task) {
    std::exception_ptr outcome;
    bool ended = false;
    const auto work = asio::make_work_guard(context);
    asio::co_spawn(context, std::move(task), [&context, &outcome, &ended](std::exception_ptr error) {
        outcome = error;
        ended = true;
        context.stop();
    });
    // A worker lets go of the context a moment after it has posted the result of an earlier call. Was it the last to do
    // so then, it stops the context as late as now, before the task has ended.
    while (!ended) {
        context.restart();
        context.run();
    }
    return outcome;
}

}  // namespace myst
