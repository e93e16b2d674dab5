// The file outbox.db, opened once and used in the worker pool.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "myst/chain/outbox_store.hpp"
#include "myst/runtime/task.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst::chain {

/// Control thread; calls may overlap. `pool` must outlive it.
class OutboxFile {
public:
    /// Belongs to this account on this chain.
    OutboxFile(std::string path, std::uint64_t chain_id, const Address& sender, WorkerPool& pool)
        : path_(std::move(path)), chain_id_(chain_id), sender_(sender), pool_(pool) {}

    /// failed_precondition if the file is another account's or chain's. Does nothing if it is open.
    [[nodiscard]] Task<Result<>> open();
    /// Runs `work(OutboxStore&)` in the pool. Needs `open`.
    template <class Work>
    [[nodiscard]] Task<std::invoke_result_t<Work&, OutboxStore&>> on_store(Work work) {
        auto call = [store = store_, work = std::move(work)]() mutable { return work(*store); };
        co_return co_await pool_.run(std::move(call));
    }

private:
    /// Where worker threads put the file, so that callers who open it at the same time get the same one.
    struct Slot {
        std::mutex mutex;
        std::shared_ptr<OutboxStore> store;
    };

    std::string path_;
    std::uint64_t chain_id_;
    Address sender_;
    WorkerPool& pool_;
    std::shared_ptr<Slot> slot_ = std::make_shared<Slot>();
    std::shared_ptr<OutboxStore> store_;
};

}  // namespace myst::chain
