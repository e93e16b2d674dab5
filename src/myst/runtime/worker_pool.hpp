// Blocking work (databases, key derivation, DNS) leaves the control thread through a WorkerPool.
#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>

#include "myst/runtime/task.hpp"

namespace myst {

/// A few threads for blocking calls. Work must not touch control state: it takes values and returns a value.
class WorkerPool {
public:
    explicit WorkerPool(std::size_t threads) : pool_(threads) {}
    ~WorkerPool() { pool_.join(); }
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    /// Runs `work` on a pool thread; the awaiting task resumes on its own executor. The work is not cancelled
    /// with its caller: it runs to its end and the caller waits for it.
    template <class Work>
    [[nodiscard]] Task<std::invoke_result_t<Work&>> run(Work work) {
        return asio::co_spawn(pool_.get_executor(), invoke(std::move(work)),
                              asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
    }

private:
    template <class Work>
    static Task<std::invoke_result_t<Work&>> invoke(Work work) {
        co_return work();
    }
    asio::thread_pool pool_;
};

}  // namespace myst
