#include <thread>

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include "myst/runtime/event_signal.hpp"
#include "myst/runtime/run_task.hpp"
#include "myst/runtime/task_group.hpp"
#include "myst/runtime/timeout.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst {
namespace {

constexpr milliseconds kForever{3'600'000};

/// Runs one task to its end and rethrows what it threw.
void run(asio::io_context& context, Task<> task) {
    const auto error = run_task(context, std::move(task));
    context.restart();
    context.run();  // what the task left behind: a test that leaves something for ever hangs here
    if (error) std::rethrow_exception(error);
}

Task<Result<int>> answer_after(milliseconds delay, bool& unwound) {
    struct Mark {
        bool& flag;
        ~Mark() { flag = true; }
    } mark{unwound};
    co_await sleep_for(delay);
    co_return 42;
}

Task<> expect_timeout() {
    bool unwound = false;
    auto result = co_await with_timeout(answer_after(kForever, unwound), milliseconds(1), "the answer");
    EXPECT_TRUE(unwound);
    EXPECT_FALSE(result);
    if (!result) {
        EXPECT_EQ(result.error().code, ErrorCode::timeout);
    }
}

Task<> go_on_after(milliseconds delay, bool& done) {
    co_await sleep_for(delay);
    done = true;
}

TEST(RunTask, AStopThatSomebodyElseCausesDoesNotEndIt) {
    asio::io_context context;
    asio::post(context, [&context] { context.stop(); });
    bool done = false;
    EXPECT_EQ(run_task(context, go_on_after(milliseconds(1), done)), nullptr);
    EXPECT_TRUE(done);
}

TEST(WithTimeout, CancelsALateChildAndWaitsForIt) {
    asio::io_context context;
    run(context, expect_timeout());
}

Task<> expect_answer() {
    bool unwound = false;
    auto result = co_await with_timeout(answer_after(milliseconds(0), unwound), kForever, "the answer");
    EXPECT_TRUE(result);
    if (result) {
        EXPECT_EQ(*result, 42);
    }
}

TEST(WithTimeout, ReturnsTheValueOfAPunctualChild) {
    asio::io_context context;
    run(context, expect_answer());
}

Task<> wait_forever(bool& unwound) {
    auto result = co_await with_timeout(answer_after(kForever, unwound), kForever, "the answer");
    ADD_FAILURE() << "must have been cancelled";
}

Task<> cancel_group(TaskGroup& group) {
    co_await sleep_for(milliseconds(0));
    group.cancel();
    co_await group.join();
    EXPECT_EQ(group.size(), 0U);
}

TEST(TaskGroup, CancellationReachesNestedTimeouts) {
    asio::io_context context;
    TaskGroup group(context.get_executor());
    std::array<bool, 100> unwound{};
    for (auto& flag : unwound) group.spawn("waiter", wait_forever(flag));
    run(context, cancel_group(group));
    EXPECT_TRUE(std::all_of(unwound.begin(), unwound.end(), [](bool flag) { return flag; }));
}

TEST(TaskGroup, RefusesTasksAfterCancel) {
    asio::io_context context;
    TaskGroup group(context.get_executor());
    group.cancel();
    bool unwound = false;
    group.spawn("late", wait_forever(unwound));
    EXPECT_EQ(group.size(), 0U);
}

Task<> join_of(TaskGroup& group) {
    co_await group.join();
}

TEST(TaskGroup, ACancelledJoinCancelsItsChildren) {
    asio::io_context context;
    TaskGroup inner(context.get_executor());
    TaskGroup outer(context.get_executor());
    bool unwound = false;
    inner.spawn("waiter", wait_forever(unwound));
    outer.spawn("joiner", join_of(inner));
    run(context, cancel_group(outer));
    EXPECT_TRUE(unwound);
    EXPECT_EQ(inner.size(), 0U);
}

/// Beside a body that ends in one of three ways, a child that takes a while to unwind.
struct Beside {
    explicit Beside(asio::io_context& context) : children(context.get_executor()) {
        children.spawn("child", wait_forever(child_unwound));
    }
    Task<Result<int>> run(Task<Result<int>> body) {
        std::function<void()> stop = [this] { ++stops; };
        auto value = co_await with_children(std::move(body), children, std::move(stop));
        left_behind = children.size();
        co_return value;
    }
    TaskGroup children;
    bool child_unwound = false;
    bool body_unwound = false;
    int stops = 0;
    std::size_t left_behind = 99;
};

Task<Result<int>> broken() {
    throw std::runtime_error("broken");
    co_return 0;
}

Task<> expect_value(Beside& beside) {
    auto value = co_await beside.run(answer_after(milliseconds(0), beside.body_unwound));
    EXPECT_TRUE(value);
    co_await sleep_for(milliseconds(0));  // the caller goes on undisturbed
}

Task<> ignore_value(Beside& beside, Task<Result<int>> body) {
    auto value = co_await beside.run(std::move(body));
    ADD_FAILURE() << "must have thrown";
}

TEST(WithChildren, EndsThemWhenTheBodyReturns) {
    asio::io_context context;
    Beside beside(context);
    run(context, expect_value(beside));
    EXPECT_TRUE(beside.child_unwound);
    EXPECT_EQ(beside.left_behind, 0U);
    EXPECT_EQ(beside.stops, 1);
}

TEST(WithChildren, EndsThemWhenTheBodyThrows) {
    asio::io_context context;
    Beside beside(context);
    EXPECT_THROW(run(context, ignore_value(beside, broken())), std::runtime_error);
    EXPECT_TRUE(beside.child_unwound);
    EXPECT_EQ(beside.stops, 1);
}

TEST(WithChildren, EndsThemBeforeACancelledCallerUnwinds) {
    asio::io_context context;
    TaskGroup outer(context.get_executor());
    Beside beside(context);
    outer.spawn("caller", ignore_value(beside, answer_after(kForever, beside.body_unwound)));
    run(context, cancel_group(outer));
    EXPECT_TRUE(beside.body_unwound);
    EXPECT_TRUE(beside.child_unwound);
    EXPECT_EQ(beside.children.size(), 0U);
    EXPECT_EQ(beside.stops, 1);
}

Task<> expect_pool_thread(WorkerPool& pool) {
    const auto control = std::this_thread::get_id();
    const auto worker = co_await pool.run([] { return std::this_thread::get_id(); });
    EXPECT_NE(worker, control);
    EXPECT_EQ(std::this_thread::get_id(), control);
}

TEST(WorkerPool, RunsElsewhereAndComesBack) {
    asio::io_context context;
    WorkerPool pool(1);
    run(context, expect_pool_thread(pool));
}

Task<> expect_notification(EventSignal& signal) {
    signal.notify();
    EXPECT_TRUE(co_await signal.wait(kForever));
    EXPECT_FALSE(co_await signal.wait(milliseconds(1)));
}

TEST(EventSignal, RemembersANotification) {
    asio::io_context context;
    EventSignal signal(context.get_executor());
    run(context, expect_notification(signal));
}

}  // namespace
}  // namespace myst
