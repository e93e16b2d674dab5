// A carrier that runs by itself.
#pragma once

#include <poll.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "myst/dataplane/test_support/carrier.hpp"

namespace myst::dataplane::test {

/// Turns a carrier in a thread of its own.
class Engine {
public:
    explicit Engine(Carrier& carrier) : carrier_(carrier), thread_([this] { run(); }) {}
    ~Engine() {
        stop_ = true;
        thread_.join();
    }
    Engine(const Engine&) = delete;
    Engine& operator=(const Engine&) = delete;

    /// Does something to the carrier between two of its turns.
    template <class Work>
    auto change(Work work) {
        ++waiting_;
        const std::lock_guard lock(mutex_);
        --waiting_;
        return work(carrier_);
    }

private:
    void run() {
        while (!stop_) {
            while (waiting_ > 0) std::this_thread::yield();
            std::unique_lock lock(mutex_);
            const bool more = carrier_.turn();
            auto descriptors = carrier_.descriptors();
            lock.unlock();
            if (!more) ::poll(descriptors.data(), descriptors.size(), 5);
        }
    }

    Carrier& carrier_;
    std::mutex mutex_;
    std::atomic<int> waiting_{0};
    std::atomic<bool> stop_{false};
    std::thread thread_;  ///< last: it begins at once
};

}  // namespace myst::dataplane::test
