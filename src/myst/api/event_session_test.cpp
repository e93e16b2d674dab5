// The end of an event stream, step by step, on a socket that does what the test wants.
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "myst/api/event_session.hpp"
#include "myst/api/test_support/fake_control.hpp"
#include "myst/runtime/run_task.hpp"

namespace myst::api {
namespace {

/// What the test knows of a socket that the session owns.
struct Goodbye {
    explicit Goodbye(const asio::any_io_executor& executor) : begun(executor), answered(executor) {}
    EventSignal begun;
    EventSignal answered;  ///< by the client
    bool is_over = false;
};

/// A client that says nothing.
class SilentClient final : public sys::WebSocket {
public:
    SilentClient(const asio::any_io_executor& executor, Goodbye& goodbye) : words_(executor), goodbye_(goodbye) {}

    Task<Result<std::string>> read() override {
        co_await words_.wait();
        co_return std::string();
    }
    Task<Result<>> write(std::shared_ptr<const std::string>) override { co_return Result<>(); }
    Task<> close(sys::CloseCode, std::string) override {
        goodbye_.begun.notify();
        co_await goodbye_.answered.wait();
        goodbye_.is_over = true;
    }
    void abort() override {}

private:
    EventSignal words_;
    Goodbye& goodbye_;
};

Task<> serve(asio::any_io_executor executor, Goodbye& goodbye) {
    test_support::FakeControl node;
    const SystemClock clock;
    EventSettings settings;
    settings.subscribe_timeout = milliseconds(1);
    EventSession session(executor, std::make_unique<SilentClient>(executor, goodbye), node, clock, settings);
    co_await session.run();
}

Task<> stop_during(Goodbye& goodbye) {
    const auto executor = co_await asio::this_coro::executor;
    TaskGroup daemon(executor);
    daemon.spawn("session", serve(executor, goodbye));
    co_await goodbye.begun.wait();
    daemon.cancel();
    co_await asio::post(executor, asio::use_awaitable);  // behind the cancellation
    EXPECT_EQ(daemon.size(), 1U) << "its tasks still use the session";
    goodbye.answered.notify();
    co_await daemon.join();
}

TEST(EventSession, OutlivesItsTasksIfTheDaemonStopsDuringTheGoodbye) {
    asio::io_context context;
    Goodbye goodbye(context.get_executor());
    EXPECT_EQ(run_task(context, stop_during(goodbye)), nullptr);
    EXPECT_TRUE(goodbye.is_over);
}

}  // namespace
}  // namespace myst::api
