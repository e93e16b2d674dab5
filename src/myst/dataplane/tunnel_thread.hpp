// A tunnel carried by a thread of its own, and calls into that thread.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>

#include "myst/dataplane/tunnel.hpp"

namespace myst::dataplane {

/// Any thread. Packets never wait for callers: the tunnel's thread takes the lock only when it was called.
class TunnelThread {
public:
    static constexpr std::size_t kMaxCalls = 64;  ///< that wait; one more waits for room first

    /// As Tunnel::create; then it is carried, in the calling thread's network namespace. The thread has the interface's
    /// name, and takes no signals. `rng` outlives it.
    [[nodiscard]] static Result<std::unique_ptr<TunnelThread>> start(const Tunnel::Settings& settings, Rng& rng);
    TunnelThread(const TunnelThread&) = delete;
    TunnelThread& operator=(const TunnelThread&) = delete;
    /// Stops.
    ~TunnelThread();

    [[nodiscard]] const std::string& name() const { return name_; }
    /// Whether nothing is carried any more: the interface was removed, or `stop` was called.
    [[nodiscard]] bool ended() const { return ended_.load(std::memory_order_acquire); }
    /// Runs `work`, which takes the tunnel and returns a Result, between two turns of the tunnel's thread, and waits
    /// for it: for as long as four turns take, about two milliseconds under full load. io if the tunnel has ended. Not
    /// to be called by `work`.
    template <class Work>
    [[nodiscard]] std::invoke_result_t<Work&, Tunnel&> call(Work work) {
        std::optional<std::invoke_result_t<Work&, Tunnel&>> outcome;
        auto done = call_and_wait([&](Tunnel& tunnel) { outcome.emplace(work(tunnel)); });
        if (!done) return forward_error(done);
        return std::move(*outcome);
    }
    /// Ends the thread and removes the interface. Calls that wait are refused. A second call does nothing.
    void stop();

private:
    struct Call {
        std::function<void(Tunnel&)> work;
        bool done = false;  ///< under the lock
    };
    TunnelThread(std::unique_ptr<Tunnel> tunnel, sys::Fd wake);
    void carry();
    /// What waits; false if the thread is to end.
    [[nodiscard]] bool serve();
    [[nodiscard]] Result<> call_and_wait(std::function<void(Tunnel&)> work);
    void wake_up() const;

    std::string name_;
    std::unique_ptr<Tunnel> tunnel_;  ///< the thread's, while it runs
    sys::Fd wake_;
    std::mutex mutex_;
    std::condition_variable changed_;  ///< a call is done, or there is room, or the end
    std::deque<Call*> calls_;
    bool stopping_ = false;
    std::atomic<bool> ended_ = false;
    std::thread thread_;
};

}  // namespace myst::dataplane
