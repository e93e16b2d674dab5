// Writes that are waiting at the same time share one commit; each writer still learns its own outcome.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "myst/base/at_exit.hpp"
#include "myst/base/check.hpp"
#include "myst/base/error.hpp"
#include "myst/runtime/task.hpp"

namespace myst {

/// What a failed commit means for later writes.
enum class AfterFailure {
    refuse,  ///< they fail with the same error: a disk that lost a write must not be trusted with the next one
    go_on,   ///< they are tried: for data that can be fetched again
};

struct GroupCommitSettings {
    std::size_t capacity = 10'000;  ///< writes that wait; beyond it `submit` fails with limit_exceeded at once
    std::size_t max_batch = 1'000;  ///< writes in one commit
    AfterFailure after_failure = AfterFailure::refuse;
};

/// Collects writes while a commit is running and hands them to `commit` together, oldest first. The first waiting
/// writer drives the next commit, so there is no background task. A writer that is cancelled learns nothing; its write
/// may or may not be made. Control thread. Must outlive its writers.
template <class Write, class T = void>
class GroupCommit {
public:
    using Outcome = Result<T>;
    /// Makes a batch durable and returns one outcome per write; an error means that nothing of the batch is certain.
    using Commit = std::function<Task<Result<std::vector<Outcome>>>(std::vector<Write>)>;

    explicit GroupCommit(Commit commit, GroupCommitSettings settings = {})
        : commit_(std::move(commit)), settings_(settings) {}

    /// Returns when the write is durable or has failed.
    [[nodiscard]] Task<Outcome> submit(Write write) {
        if (queue_.size() >= settings_.capacity) {
            co_return fail(ErrorCode::limit_exceeded, "too many writes are waiting", "try again later");
        }
        auto entry = std::make_shared<Entry>(co_await asio::this_coro::executor, std::move(write));
        queue_.push_back(entry);
        while (!entry->outcome) {
            if (!committing_) {
                co_await commit_batch();
            } else {
                std::ignore = co_await entry->wake.async_wait(no_throw);
            }
        }
        co_return std::move(*entry->outcome);
    }

private:
    struct Entry {
        Entry(const asio::any_io_executor& executor, Write w) : write(std::move(w)), wake(executor) {
            wake.expires_at(asio::steady_timer::time_point::max());
        }
        Write write;
        asio::steady_timer wake;  ///< cancelled when there is an outcome or a new driver is needed
        std::optional<Outcome> outcome;
    };
    using Batch = std::vector<std::shared_ptr<Entry>>;
    using Outcomes = Result<std::vector<Outcome>>;

    Task<> commit_batch() {
        committing_ = true;
        const auto batch = take_batch();
        Outcomes outcomes = fail(ErrorCode::internal, "the commit was interrupted");
        const AtExit finished([this, &batch, &outcomes] { finish(batch, outcomes); });
        if (failure_) {
            outcomes = tl::unexpected<Error>(*failure_);
        } else {
            std::vector<Write> writes;
            writes.reserve(batch.size());
            for (const auto& entry : batch) writes.push_back(std::move(entry->write));
            auto commit = commit_(std::move(writes));
            outcomes = co_await std::move(commit);
        }
    }

    Batch take_batch() {
        Batch batch;
        while (!queue_.empty() && batch.size() < settings_.max_batch) {
            batch.push_back(std::move(queue_.front()));
            queue_.pop_front();
        }
        return batch;
    }

    void finish(const Batch& batch, Outcomes& outcomes) {
        CHECK(!outcomes || outcomes->size() == batch.size());
        if (!outcomes && settings_.after_failure == AfterFailure::refuse) failure_ = outcomes.error();
        for (std::size_t i = 0; i < batch.size(); ++i) {
            if (outcomes) {
                batch[i]->outcome = std::move((*outcomes)[i]);
            } else {
                batch[i]->outcome = tl::unexpected<Error>(outcomes.error());
            }
            batch[i]->wake.cancel();
        }
        committing_ = false;
        for (const auto& entry : queue_) entry->wake.cancel();  // whoever wakes first drives the next commit
    }

    Commit commit_;
    GroupCommitSettings settings_;
    std::deque<std::shared_ptr<Entry>> queue_;
    std::optional<Error> failure_;
    bool committing_ = false;
};

}  // namespace myst
