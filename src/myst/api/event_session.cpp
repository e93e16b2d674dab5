#include "myst/api/event_session.hpp"

#include "myst/api/json_views.hpp"
#include "myst/api/subscription.hpp"
#include "myst/base/busy.hpp"
#include "myst/base/log.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::api {
namespace {

using sys::CloseCode;

constexpr milliseconds kGoodbyeLimit{2'000};

}  // namespace

EventSession::EventSession(asio::any_io_executor executor, std::unique_ptr<sys::WebSocket> socket, node::Control& node,
                           const Clock& clock, const EventSettings& settings)
    : node_(node),
      clock_(clock),
      settings_(settings),
      socket_(std::move(socket)),
      ending_(executor),
      written_(executor),
      tasks_(executor) {}

Task<> EventSession::run() {
    tasks_.spawn("event reader", read());
    bool is_stopped = false;
    try {
        co_await wait_for_end();
    } catch (const boost::system::system_error&) {
        is_stopped = true;
    }
    // The tasks use this object, so nothing may unwind it before they are gone; a goodbye is short.
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    if (is_stopped) end({CloseCode::going_away, "the daemon stops"});
    co_await say_goodbye();
    tasks_.cancel();
    co_await tasks_.join();
    if (is_stopped) throw boost::system::system_error(asio::error::operation_aborted);
}

Task<> EventSession::wait_for_end() {
    std::ignore = co_await ending_.wait(settings_.subscribe_timeout);
    if (!end_ && !watch_) refuse(Error{ErrorCode::timeout, "no subscription came in time"});
    while (!end_) co_await ending_.wait();
}

void EventSession::end(End why) {
    if (end_) return;
    end_ = std::move(why);
    ending_.notify();
}

void EventSession::refuse(Error error) {
    const auto reason = std::string(to_string(error.code));
    end({CloseCode::policy, reason, std::move(error)});
}

// Reading

Task<> EventSession::read() {
    auto first = co_await socket_->read();
    if (!first) co_return end_after_reading(first.error());
    auto filter = parse_subscription(*first);
    if (!filter) co_return refuse(std::move(filter.error()));
    auto watch = node_.watch_offers(std::move(*filter));
    if (!watch) co_return refuse(std::move(watch.error()));
    watch_ = std::move(*watch);
    tasks_.spawn("events", tell());
    auto second = co_await socket_->read();
    if (!second) co_return end_after_reading(second.error());
    refuse(Error{ErrorCode::limit_exceeded, "a connection has one subscription", "open another connection"});
}

void EventSession::end_after_reading(const Error& error) {
    if (error.code == ErrorCode::invalid_data) {
        end({CloseCode::not_text, "only text messages",
             Error{ErrorCode::invalid_argument, "binary messages are not understood", "send JSON as text"}});
    } else {
        // It has left, is silent, or has been told already that its message is too large.
        is_lost_ = true;
        log::debug("api: the end of an event stream: {}", error.message);
        end({CloseCode::normal, ""});
    }
}

// Telling

/// One of the few places that catch exceptions.
Task<> EventSession::tell() {
    try {
        co_await tell_changes();
    } catch (...) {
        const auto error = std::current_exception();
        if (is_cancellation(error)) throw;
        log::error("api: events: {}", describe_exception(error));
        end({CloseCode::internal, "internal",
             Error{ErrorCode::internal, "the node failed unexpectedly", "see the daemon's log"}});
    }
}

Task<> EventSession::tell_changes() {
    for (;;) {
        auto change = co_await watch_->next();
        if (end_) co_return;
        if (!change) {
            const auto reason = std::string(to_string(change.error().code));
            co_return end({CloseCode::try_later, reason, std::move(change.error())});
        }
        const bool goes_on = co_await write(event_of(*change));
        if (!goes_on) co_return;
    }
}

Task<bool> EventSession::write(std::string message) {
    const auto begun = clock_.now();
    {
        const Busy busy(is_writing_);
        std::string what = "sending an event";
        auto sending = socket_->write(std::make_shared<const std::string>(std::move(message)));
        auto written = co_await with_timeout(std::move(sending), settings_.stuck_limit, std::move(what));
        if (!written) {
            is_lost_ = true;
            log::info("api: an event client is dropped: {}", written.error().message);
            end({CloseCode::normal, ""});
        }
    }
    written_.notify();
    if (clock_.now() - begun > settings_.slow_limit) {
        end({CloseCode::policy, "too slow: events wait for you"});
    }
    co_return !end_;
}

Task<> EventSession::say_goodbye() {
    const auto until = std::chrono::steady_clock::now() + kGoodbyeLimit;
    while (is_writing_ && std::chrono::steady_clock::now() < until) std::ignore = co_await written_.wait(kGoodbyeLimit);
    if (is_lost_ || is_writing_) {
        socket_->abort();
        co_return;
    }
    if (end_->error) {
        std::string what = "saying why";
        auto sending = socket_->write(std::make_shared<const std::string>(event_of(*end_->error)));
        auto told = co_await with_timeout(std::move(sending), kGoodbyeLimit, std::move(what));
        if (!told) {
            socket_->abort();
            co_return;
        }
    }
    std::string reason = end_->reason;
    co_await socket_->close(end_->code, std::move(reason));
}

}  // namespace myst::api
