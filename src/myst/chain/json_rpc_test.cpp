#include "myst/chain/json_rpc.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "myst/crypto/system_rng.hpp"
#include "myst/sys/http_test_server.hpp"
#include "myst/sys/task_test.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;
using sys::testing::HttpTestServer;
using sys::testing::ServerAnswer;
using sys::testing::ServerRequest;

using CallOutcome = std::optional<Result<json::value>>;
using BatchOutcome = std::optional<Result<std::vector<Result<json::value>>>>;

Task<> do_call(JsonRpcClient& client, std::string method, CallOutcome& outcome) {
    outcome = co_await client.call(std::move(method));
}

Task<> do_batch(JsonRpcClient& client, std::vector<RpcCall> calls, BatchOutcome& outcome) {
    outcome = co_await client.batch(std::move(calls));
}

std::uint64_t id_of(const ServerRequest& request) {
    return json::parse(request.body).at("id").to_number<std::uint64_t>();
}

std::string result_for(std::uint64_t id, const std::string& result) {
    return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":)" + result + "}";
}

class JsonRpcTest : public ::testing::Test {
protected:
    ~JsonRpcTest() override {
        client_.reset();
        server_.reset();
        sys::testing::drain(context_);
    }
    void serve(HttpTestServer::Handler handler) {
        server_ = std::make_unique<HttpTestServer>(context_, [this, handler](const ServerRequest& request) {
            ++requests_;
            return handler(request);
        });
        settings_.url = server_->url();
        settings_.backoff = milliseconds(1);
        client_ = std::make_unique<JsonRpcClient>(settings_, rng_);
    }
    Result<json::value> call(std::string method = "eth_blockNumber") {
        CallOutcome outcome;
        sys::testing::run_task(context_, do_call(*client_, std::move(method), outcome));
        return std::move(*outcome);
    }
    Result<std::vector<Result<json::value>>> batch(std::vector<RpcCall> calls) {
        BatchOutcome outcome;
        sys::testing::run_task(context_, do_batch(*client_, std::move(calls), outcome));
        return std::move(*outcome);
    }
    void expect_failure(ErrorCode code, unsigned requests, const std::string& part) {
        const auto result = call();
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, code) << result.error().message;
        EXPECT_NE(result.error().message.find(part), std::string::npos) << result.error().message;
        EXPECT_EQ(requests_, requests);
    }

    asio::io_context context_;
    crypto::SystemRng rng_;
    JsonRpcSettings settings_;
    std::unique_ptr<HttpTestServer> server_;
    std::unique_ptr<JsonRpcClient> client_;
    unsigned requests_ = 0;
};

TEST_F(JsonRpcTest, Calls) {
    std::string body;
    serve([&](const ServerRequest& request) {
        body = request.body;
        return ServerAnswer{200, result_for(id_of(request), R"("0x10")")};
    });
    const auto result = call();
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->as_string(), "0x10");
    EXPECT_EQ(json::parse(body).at("method").as_string(), "eth_blockNumber");
}

TEST_F(JsonRpcTest, RefusesAnAnswerToAnotherRequest) {
    serve([](const ServerRequest& request) { return ServerAnswer{200, result_for(id_of(request) + 1, "1")}; });
    expect_failure(ErrorCode::invalid_data, 4, "another request");
}

TEST_F(JsonRpcTest, RefusesAnotherVersion) {
    serve([](const ServerRequest& request) {
        return ServerAnswer{200, R"({"id":)" + std::to_string(id_of(request)) + R"(,"result":1})"};
    });
    expect_failure(ErrorCode::invalid_data, 4, "JSON-RPC 2.0");
}

TEST_F(JsonRpcTest, RefusesTruncatedJson) {
    serve([](const ServerRequest&) { return ServerAnswer{200, R"({"jsonrpc":"2.0","id":1,"resu)"}; });
    expect_failure(ErrorCode::invalid_data, 4, "not JSON");
}

TEST_F(JsonRpcTest, RefusesADepthBomb) {
    serve([](const ServerRequest& request) {
        return ServerAnswer{200, result_for(id_of(request), std::string(100'000, '[') + std::string(100'000, ']'))};
    });
    expect_failure(ErrorCode::invalid_data, 4, "too deeply");
}

TEST_F(JsonRpcTest, RefusesAnOversizedAnswerAtOnce) {
    settings_.max_bytes = 1000;
    serve([](const ServerRequest& request) {
        return ServerAnswer{200, result_for(id_of(request), '"' + std::string(1000, 'x') + '"')};
    });
    expect_failure(ErrorCode::limit_exceeded, 1, "larger than allowed");
}

TEST_F(JsonRpcTest, RepeatsAReadAfterATimeout) {
    settings_.timeout = milliseconds(40);
    serve([&](const ServerRequest& request) {
        ServerAnswer answer{200, result_for(id_of(request), "1")};
        answer.hang = requests_ == 1;
        return answer;
    });
    EXPECT_TRUE(call());
    EXPECT_EQ(requests_, 2U);
}

TEST_F(JsonRpcTest, ReportsATimeout) {
    settings_.timeout = milliseconds(20);
    settings_.retries = 1;
    serve([](const ServerRequest&) {
        ServerAnswer answer;
        answer.hang = true;
        return answer;
    });
    expect_failure(ErrorCode::timeout, 2, "no answer within 20 ms");
}

TEST_F(JsonRpcTest, RepeatsAReadWhenTheServerIsBusy) {
    serve([&](const ServerRequest& request) {
        if (requests_ == 1) return ServerAnswer{429, "slow down"};
        if (requests_ == 2) return ServerAnswer{503, ""};
        return ServerAnswer{200, result_for(id_of(request), "1")};
    });
    EXPECT_TRUE(call());
    EXPECT_EQ(requests_, 3U);
}

TEST_F(JsonRpcTest, GivesUpAfterTheRetries) {
    serve([](const ServerRequest&) { return ServerAnswer{429, ""}; });
    expect_failure(ErrorCode::unavailable, 4, "429");
}

TEST_F(JsonRpcTest, DoesNotRepeatWhenTheKeyIsWrong) {
    serve([](const ServerRequest&) { return ServerAnswer{401, "no"}; });
    expect_failure(ErrorCode::permission_denied, 1, "401");
}

TEST_F(JsonRpcTest, NeverRepeatsATransaction) {
    serve([](const ServerRequest&) {
        ServerAnswer answer;
        answer.drop = true;
        return answer;
    });
    EXPECT_FALSE(call("eth_sendRawTransaction"));
    EXPECT_EQ(requests_, 1U);
    EXPECT_FALSE(is_idempotent("eth_sendTransaction"));
    EXPECT_FALSE(is_idempotent("anvil_mine"));
    EXPECT_TRUE(is_idempotent("eth_call"));
}

TEST_F(JsonRpcTest, TurnsAnErrorObjectIntoAnError) {
    serve([](const ServerRequest& request) {
        const auto id = std::to_string(id_of(request));
        return ServerAnswer{200, R"({"jsonrpc":"2.0","id":)" + id +
                                     R"(,"error":{"code":-32000,"message":"bad\u001b[2J)" + std::string(500, 'x') +
                                     R"("}})"};
    });
    const auto result = call();
    ASSERT_FALSE(result);
    EXPECT_EQ(requests_, 1U);
    EXPECT_NE(result.error().message.find("-32000: bad?[2J"), std::string::npos) << result.error().message;
    EXPECT_LT(result.error().message.size(), 300U);
}

TEST_F(JsonRpcTest, PutsAShuffledBatchInOrder) {
    serve([](const ServerRequest& request) {
        const auto calls = json::parse(request.body);
        json::array answers;
        for (const auto& each : calls.as_array()) {
            json::object answer{{"jsonrpc", "2.0"}, {"id", each.at("id")}};
            if (each.at("method").as_string() == "eth_bad") {
                answer["error"] = {{"code", -32601}, {"message", "no such method"}};
            } else {
                answer["result"] = each.at("method");
            }
            answers.insert(answers.begin(), std::move(answer));
        }
        return ServerAnswer{200, json::serialize(answers)};
    });
    const auto results = batch({{"eth_one"}, {"eth_bad"}, {"eth_three"}});
    ASSERT_TRUE(results) << results.error().message;
    ASSERT_EQ(results->size(), 3U);
    EXPECT_EQ((*results)[0]->as_string(), "eth_one");
    EXPECT_EQ((*results)[1].error().code, ErrorCode::invalid_argument);
    EXPECT_EQ((*results)[2]->as_string(), "eth_three");
    EXPECT_EQ(requests_, 1U);
}

TEST(JsonRpcMessage, RefusesAnIncompleteBatch) {
    const auto one = result_for(7, "1");
    const auto two = result_for(8, "2");
    const auto check = [](const std::string& text) { return decode_batch(json::parse(text), 7, 2).has_value(); };
    EXPECT_TRUE(check("[" + two + "," + one + "]"));
    EXPECT_FALSE(check("[" + one + "]"));
    EXPECT_FALSE(check("[" + one + "," + one + "]"));
    EXPECT_FALSE(check("[" + one + "," + result_for(9, "3") + "]"));
    EXPECT_FALSE(check("[" + one + "," + two + "," + two + "]"));
    EXPECT_FALSE(check("[" + one + ",5]"));
    EXPECT_FALSE(check(one));
}

TEST(JsonRpcMessage, PassesOnARefusalOfTheWholeBatch) {
    const auto refusal = json::parse(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32005,"message":"too many"}})");
    const auto replies = decode_batch(refusal, 1, 2);
    ASSERT_FALSE(replies);
    EXPECT_EQ(replies.error().code, ErrorCode::limit_exceeded);
}

TEST(JsonRpcMessage, RefusesMalformedReplies) {
    for (const auto* text : {R"(1)", R"({})", R"({"jsonrpc":"2.0","id":1})", R"({"jsonrpc":"2.0","id":"1","result":1})",
                             R"({"jsonrpc":"2.0","id":1,"result":1,"error":{"code":1,"message":""}})",
                             R"({"jsonrpc":"2.0","id":1,"error":5})", R"({"jsonrpc":"2.0","id":-1,"result":1})",
                             R"({"jsonrpc":"2.0","id":1.0,"result":1})"}) {
        EXPECT_FALSE(decode_reply(json::parse(text), 1)) << text;
    }
    const auto null_result = decode_reply(json::parse(R"({"jsonrpc":"2.0","id":1,"result":null})"), 1);
    ASSERT_TRUE(null_result);
    EXPECT_TRUE((*null_result)->is_null());
}

TEST(JsonRpcMessage, FindsRevertData) {
    for (const auto* data : {R"("0x08c379a0")", R"({"data":"0x08c379a0"})"}) {
        const auto text = std::string(R"({"jsonrpc":"2.0","id":1,"error":{"code":3,"message":"execution reverted",)") +
                          R"("data":)" + data + "}}";
        const auto reply = decode_reply(json::parse(text), 1);
        ASSERT_TRUE(reply);
        ASSERT_FALSE(*reply);
        EXPECT_EQ(to_hex(reply->error().data), "08c379a0");
        EXPECT_EQ(to_error(reply->error(), "eth_call").code, ErrorCode::failed_precondition);
    }
}

}  // namespace
}  // namespace myst::chain
