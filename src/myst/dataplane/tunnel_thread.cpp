#include "myst/dataplane/tunnel_thread.hpp"

#include <pthread.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <csignal>
#include <vector>

#include "myst/base/log.hpp"
#include "myst/sys/os_error.hpp"

namespace myst::dataplane {
namespace {

/// Threads that are started meanwhile take no signals.
class SignalsBlocked {
public:
    SignalsBlocked() {
        sigset_t all;
        sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;

private:
    sigset_t before_{};
};

}  // namespace

Result<std::unique_ptr<TunnelThread>> TunnelThread::start(const Tunnel::Settings& settings, Rng& rng) {
    auto tunnel = Tunnel::create(settings, rng);
    if (!tunnel) return forward_error(tunnel);
    sys::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!wake.valid()) return sys::fail_errno("making an eventfd", errno);
    return std::unique_ptr<TunnelThread>(new TunnelThread(std::move(*tunnel), std::move(wake)));
}

TunnelThread::TunnelThread(std::unique_ptr<Tunnel> tunnel, sys::Fd wake)
    : name_(tunnel->name()), tunnel_(std::move(tunnel)), wake_(std::move(wake)) {
    const SignalsBlocked blocked;
    thread_ = std::thread([this] { carry(); });
    ::pthread_setname_np(thread_.native_handle(), name_.c_str());
}

TunnelThread::~TunnelThread() {
    stop();
}

void TunnelThread::carry() {
    auto ended = tunnel_->run(wake_.get(), [this] { return serve(); });
    const std::lock_guard lock(mutex_);
    if (!ended) {
        log::error("{} carries nothing any more: {}", name_, ended.error().describe());
    } else if (!stopping_) {
        log::warn("{} was removed, it carries nothing any more", name_);
    }
    ended_.store(true, std::memory_order_release);
    calls_.clear();
    changed_.notify_all();
}

bool TunnelThread::serve() {
    std::uint64_t count = 0;
    std::ignore = ::read(wake_.get(), &count, sizeof count);
    std::deque<Call*> calls;
    {
        const std::lock_guard lock(mutex_);
        if (stopping_) return false;
        calls.swap(calls_);
    }
    for (auto* call : calls) call->work(*tunnel_);
    const std::lock_guard lock(mutex_);
    for (auto* call : calls) call->done = true;
    changed_.notify_all();
    return true;
}

Result<> TunnelThread::call_and_wait(std::function<void(Tunnel&)> work) {
    Call call{std::move(work)};
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_ || stopping_ || calls_.size() < kMaxCalls; });
    if (!ended_ && !stopping_) {
        calls_.push_back(&call);
        wake_up();
        changed_.wait(lock, [this, &call] { return call.done || ended_; });
    }
    if (call.done) return {};
    return fail(ErrorCode::io, "the tunnel " + name_ + " has ended");
}

void TunnelThread::stop() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        wake_up();
        changed_.notify_all();
    }
    if (!thread_.joinable()) return;
    thread_.join();
    tunnel_.reset();
}

void TunnelThread::wake_up() const {
    const std::uint64_t one = 1;
    std::ignore = ::write(wake_.get(), &one, sizeof one);
}

}  // namespace myst::dataplane
