// Look-ups of strangers' names beside the daemon's own.
#include "myst/sys/name_lookup.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "myst/runtime/timeout.hpp"

namespace myst::sys {
namespace {

const auto kAnswer = asio::ip::make_address("192.0.2.1");

/// A resolver that does not return before it is told to.
struct StuckResolver {
    std::promise<void> release;
    std::shared_future<void> released = release.get_future().share();
    std::atomic<int> asked = 0;
    SideLookup side{[this](const std::string&) -> Result<std::vector<asio::ip::address>> {
        ++asked;
        released.wait();
        return std::vector<asio::ip::address>{kAnswer};
    }};
};

Task<Result<std::vector<asio::ip::address>>> ask(StuckResolver& stuck, const char* host) {
    auto asking = stuck.side.look_up(host);
    co_return co_await std::move(asking);
}

Task<> ask_beside(StuckResolver& stuck) {
    auto limited = with_timeout(ask(stuck, "slow.example"), milliseconds(20), "no answer");
    const auto first = co_await std::move(limited);
    EXPECT_TRUE(!first && first.error().code == ErrorCode::timeout);
    const auto second = co_await ask(stuck, "other.example");
    EXPECT_TRUE(!second && second.error().code == ErrorCode::limit_exceeded);
    const auto literal = co_await ask(stuck, "192.0.2.7");
    EXPECT_TRUE(literal) << "nobody has to be asked";
    EXPECT_LE(stuck.asked, 1);
    auto asking = look_up("localhost");
    const auto own = co_await std::move(asking);
    EXPECT_TRUE(own) << "the daemon's own do not wait";
    stuck.release.set_value();
    for (;;) {
        const auto third = co_await ask(stuck, "third.example");
        if (!third) {  // the first is about to return
            co_await sleep_for(milliseconds(1));
            continue;
        }
        EXPECT_EQ(*third, std::vector{kAnswer});
        break;
    }
    EXPECT_EQ(stuck.asked, 2);
}

TEST(SideLookup, OneThatNeverReturnsDelaysNobodyElse) {
    asio::io_context context;
    StuckResolver stuck;
    bool done = false;
    asio::co_spawn(context, ask_beside(stuck), [&](std::exception_ptr error) { done = !error; });
    context.run();
    EXPECT_TRUE(done);
}

}  // namespace
}  // namespace myst::sys
