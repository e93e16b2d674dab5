// For tests of the indexer: a scripted chain, an index in a file, and a fresh index to compare it with.
#pragma once

#include <gtest/gtest.h>

#include <unistd.h>

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "myst/chain/indexer.hpp"
#include "myst/chain/test_support/event_script.hpp"
#include "myst/runtime/event_signal.hpp"
#include "myst/runtime/task_group.hpp"
#include "myst/sys/task_test.hpp"

namespace myst::chain::testing {

/// A database file that is gone afterwards.
class TemporaryFile {
public:
    explicit TemporaryFile(const std::string& name)
        : path(::testing::TempDir() + name + "_" + std::to_string(::getpid()) + "_" + std::to_string(next()++)) {
        remove();
    }
    ~TemporaryFile() { remove(); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    std::string path;

private:
    static int& next() {
        static int number = 0;
        return number;
    }
    void remove() const {
        for (const auto* suffix : {"", "-wal", "-shm"}) std::remove((path + suffix).c_str());
    }
};

inline Task<> drive(Indexer& indexer, std::optional<Error>& ended, EventSignal& signal) {
    auto outcome = co_await indexer.run();
    ended = outcome.error();
    signal.notify();
}

/// Zero if there is none.
inline Hash32 head_of(const Indexer& indexer) {
    return indexer.head() ? indexer.head()->hash : Hash32{};
}

/// Waits until the index has another head than `before`, for `limit` at most; whether it has.
inline Task<bool> head_changes(Indexer& indexer, Hash32 before, milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (head_of(indexer) == before) {
        if (std::chrono::steady_clock::now() > deadline) co_return false;
        co_await sleep_for(milliseconds(1));
    }
    co_return true;
}

/// Runs the indexer until its head is `target`, or it has halted.
inline Task<> follow_until(Indexer& indexer, Hash32 target, std::optional<Error>& ended) {
    const auto executor = co_await asio::this_coro::executor;
    auto opened = co_await indexer.open();
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    EventSignal halted(executor);
    TaskGroup group(executor);
    group.spawn("indexer", drive(indexer, ended, halted));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!ended && !(indexer.head() && indexer.head()->hash == target)) {
        std::ignore = co_await halted.wait(milliseconds(1));
        if (std::chrono::steady_clock::now() < deadline) continue;
        ADD_FAILURE() << "the indexer is stuck at block " << (indexer.head() ? indexer.head()->number : 0);
        break;
    }
    group.cancel();
    co_await group.join();
}

inline Task<> take_dump(Indexer& indexer, Hash32& out) {
    auto opened = co_await indexer.open();
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    auto hash = co_await indexer.dump_hash();
    EXPECT_TRUE(hash);
    if (hash) out = *hash;
}

/// An index of a scripted chain.
class IndexerBench {
public:
    explicit IndexerBench(std::uint64_t reorg_limit = 96) : file_("indexer_test") {
        settings.path = file_.path;
        settings.identity = {31337, ScriptedChain::contract(), account_at(201)};
        settings.poll = milliseconds(1);
        settings.backoff_limit = milliseconds(4);
        settings.reorg_limit = reorg_limit;
        settings.batch = 7;
        restart();
    }
    /// As after a restart of the program.
    void restart() {
        indexer.reset();
        indexer = std::make_unique<Indexer>(settings, chain, pool);
    }
    /// Brings the index to the chain's tip; the error if it halts instead.
    std::optional<Error> follow() {
        std::optional<Error> ended;
        sys::testing::run_task(context, follow_until(*indexer, chain.tip().hash, ended));
        return ended;
    }
    Hash32 dump() {
        Hash32 hash;
        sys::testing::run_task(context, take_dump(*indexer, hash));
        return hash;
    }
    /// Dump of an index built anew.
    Hash32 fresh_dump() {
        auto fresh_settings = settings;
        fresh_settings.path = ":memory:";
        fresh_settings.batch = 1000;
        Indexer fresh(fresh_settings, chain, pool);
        std::optional<Error> ended;
        sys::testing::run_task(context, follow_until(fresh, chain.tip().hash, ended));
        EXPECT_FALSE(ended);
        Hash32 hash;
        sys::testing::run_task(context, take_dump(fresh, hash));
        return hash;
    }
    /// A few blocks with operations; `seed` decides which.
    void mine(std::size_t count, std::uint32_t seed) {
        for (std::size_t i = 0; i < count; ++i) {
            std::vector<std::uint32_t> operations;
            for (std::uint32_t k = 0; k < 5; ++k) {
                seed = seed * 1664525U + 1013904223U;
                operations.push_back(seed >> 8);
            }
            chain.mine(operations, seed);
        }
    }

private:
    TemporaryFile file_;

public:
    asio::io_context context;
    WorkerPool pool{1};
    ScriptedChain chain;
    IndexerSettings settings;
    std::unique_ptr<Indexer> indexer;
};

}  // namespace myst::chain::testing
