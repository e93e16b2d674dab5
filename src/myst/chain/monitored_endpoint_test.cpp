#include "myst/chain/monitored_endpoint.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "myst/runtime/task_group.hpp"
#include "myst/sys/task_test.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;

/// Answers what it is told to, and takes as long as it is told to.
struct Script {
    ManualClock clock;
    milliseconds takes{};
    bool hangs = false;
    std::optional<Error> failure{};
    std::optional<RpcFault> fault{};
};

class Scripted final : public RpcEndpoint {
public:
    explicit Scripted(Script& script) : script_(script) {}
    Task<Result<RpcReply>> exchange(RpcCall) override {
        while (script_.hangs) co_await sleep_for(milliseconds(60'000));
        script_.clock.advance(script_.takes);
        if (script_.failure) co_return tl::unexpected<Error>(*script_.failure);
        if (script_.fault) co_return RpcReply(tl::unexpected<RpcFault>(*script_.fault));
        co_return RpcReply(json::value("0x1"));
    }
    Task<Result<std::vector<Result<json::value>>>> batch(std::vector<RpcCall>) override {
        script_.clock.advance(script_.takes);
        if (script_.failure) co_return tl::unexpected<Error>(*script_.failure);
        co_return std::vector<Result<json::value>>{};
    }

private:
    Script& script_;
};

Task<> begin_call(MonitoredEndpoint& endpoint) {
    RpcCall call{"eth_call", {}};
    std::ignore = co_await endpoint.exchange(std::move(call));
}

/// A call that is begun, and given up before it is answered.
Task<> cut_off(MonitoredEndpoint& endpoint) {
    const auto executor = co_await asio::this_coro::executor;
    TaskGroup group(executor);
    group.spawn("call", begin_call(endpoint));
    co_await asio::post(executor, asio::use_awaitable);
    group.cancel();
    co_await group.join();
}

class MonitoredEndpointTest : public ::testing::Test {
protected:
    Result<RpcReply> call(std::string method, bool large = false) {
        RpcCall question{std::move(method), {}};
        question.large = large;
        return sys::testing::run_value(context_, endpoint_.exchange(std::move(question)));
    }
    Result<std::vector<Result<json::value>>> batch() { return sys::testing::run_value(context_, endpoint_.batch({})); }
    void fail_with(ErrorCode code) { script_.failure = Error{code, "it is told to fail"}; }
    milliseconds pause() {
        return std::chrono::duration_cast<milliseconds>(endpoint_.health().retry_at - script_.clock.now());
    }

    asio::io_context context_;
    Script script_;
    MonitoredEndpoint endpoint_{
        "a", std::make_unique<Scripted>(script_), {milliseconds(250), milliseconds(5'000)}, script_.clock};
};

TEST_F(MonitoredEndpointTest, LatencyFollowsTheAnswersButNotTheLargeOnes) {
    script_.takes = milliseconds(100);
    ASSERT_TRUE(call("eth_call"));
    EXPECT_EQ(endpoint_.health().latency_us, 100'000);
    script_.takes = milliseconds(200);
    ASSERT_TRUE(call("eth_call"));
    EXPECT_EQ(endpoint_.health().latency_us, 120'000);
    script_.takes = milliseconds(30'000);
    ASSERT_TRUE(call("eth_getLogs", true));
    EXPECT_EQ(endpoint_.health().latency_us, 120'000);
    EXPECT_EQ(endpoint_.health().calls, 3U);
    EXPECT_EQ(endpoint_.health().failures, 0U);
}

TEST_F(MonitoredEndpointTest, PausesGrowUntilItAnswers) {
    endpoint_.health().identified = script_.clock.now();
    fail_with(ErrorCode::unavailable);
    for (const auto expected : {250, 500, 1'000, 2'000, 4'000, 5'000, 5'000}) {
        EXPECT_FALSE(call("eth_call"));
        EXPECT_EQ(pause(), milliseconds(expected));
        EXPECT_FALSE(endpoint_.health().identified) << "another one may answer next time";
    }
    EXPECT_EQ(endpoint_.health().failures_in_a_row, 7U);
    EXPECT_EQ(endpoint_.health().last_error, "it is told to fail");
    script_.failure.reset();
    EXPECT_TRUE(call("eth_call"));
    EXPECT_EQ(endpoint_.health().failures_in_a_row, 0U);
    fail_with(ErrorCode::unavailable);
    EXPECT_FALSE(call("eth_call"));
    EXPECT_EQ(pause(), milliseconds(250));
    EXPECT_EQ(endpoint_.health().failures, 8U);
}

TEST_F(MonitoredEndpointTest, ARefusalIsAnAnswer) {
    fail_with(ErrorCode::unavailable);
    EXPECT_FALSE(call("eth_call"));
    script_.failure.reset();
    script_.fault = RpcFault{3, "execution reverted"};
    EXPECT_TRUE(call("eth_call"));
    EXPECT_EQ(endpoint_.health().failures_in_a_row, 0U);
    EXPECT_EQ(endpoint_.health().failures, 1U);
}

TEST_F(MonitoredEndpointTest, OnlyWhatTheChainMakesLargeMayBeTooLarge) {
    fail_with(ErrorCode::limit_exceeded);
    EXPECT_FALSE(call("eth_getLogs"));
    EXPECT_FALSE(call("eth_getBlockReceipts"));
    EXPECT_FALSE(batch());
    EXPECT_EQ(endpoint_.health().failures, 0U);
    EXPECT_FALSE(call("eth_call"));
    EXPECT_EQ(endpoint_.health().failures, 1U) << "one that answers a small question at such length is no use";
    fail_with(ErrorCode::timeout);
    EXPECT_FALSE(call("eth_getLogs"));
    EXPECT_FALSE(batch());
    EXPECT_EQ(endpoint_.health().failures, 3U);
}

TEST_F(MonitoredEndpointTest, ThreeCallsCutOffInARowAreOneFailure) {
    const auto hang = [this](int times) {
        script_.hangs = true;
        for (int i = 0; i < times; ++i) sys::testing::run_task(context_, cut_off(endpoint_));
        script_.hangs = false;
    };
    hang(2);
    EXPECT_TRUE(call("eth_call"));
    hang(2);
    EXPECT_EQ(endpoint_.health().failures, 0U) << "it answered in between";
    hang(1);
    EXPECT_EQ(endpoint_.health().failures, 1U);
    EXPECT_NE(endpoint_.health().last_error.find("no answer"), std::string::npos);
    hang(2);
    EXPECT_EQ(endpoint_.health().failures, 1U) << "it begins anew";
}

TEST_F(MonitoredEndpointTest, DistrustIsNeverShortened) {
    endpoint_.note_disagreement("eth_call at block 7", milliseconds(60'000));
    const auto until = endpoint_.health().distrusted_until;
    EXPECT_EQ(until, script_.clock.now() + milliseconds(60'000));
    endpoint_.note_disagreement("eth_call at block 8", milliseconds(0));
    EXPECT_EQ(endpoint_.health().distrusted_until, until);
    EXPECT_EQ(endpoint_.health().disagreements, 2U);
    EXPECT_EQ(endpoint_.health().failures_in_a_row, 0U) << "to be wrong is not to be away";
    EXPECT_NE(endpoint_.health().last_error.find("block 8"), std::string::npos);
}

}  // namespace
}  // namespace myst::chain
