#include "myst/chain/rpc_block_source.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "myst/chain/eth_json.hpp"
#include "myst/chain/json_rpc.hpp"
#include "myst/chain/monitored_endpoint.hpp"
#include "myst/chain/test_support/event_script.hpp"
#include "myst/chain/test_support/scripted_endpoint.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/sys/http_test_server.hpp"
#include "myst/sys/task_test.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;
using sys::testing::HttpTestServer;
using sys::testing::ServerAnswer;
using sys::testing::ServerRequest;
using testing::log_json;
using testing::ScriptedChain;

using Outcome = std::optional<Result<std::vector<Block>>>;

Task<> fetch(RpcBlockSource& source, std::uint64_t first, std::uint64_t last, Outcome& outcome) {
    outcome = co_await source.blocks(first, last);
}

/// An endpoint that serves a scripted chain, and can be made to leave things out.
class RpcBlockSourceTest : public ::testing::Test {
protected:
    RpcBlockSourceTest() {
        for (std::uint32_t i = 0; i < 12; ++i) chain_.mine({i * 12, i * 12 + 1, i * 12 + 9});
        for (auto& block : chain_.mutable_blocks()) fill_bloom(block);
        server_ = std::make_unique<HttpTestServer>(context_, [this](const ServerRequest& request) {
            const auto body = json::parse(request.body);
            const bool receipts = body.is_object() && body.at("method").as_string() == "eth_getBlockReceipts";
            if (receipts && receipts_status_ != 200) {
                ++calls_["eth_getBlockReceipts"];
                return ServerAnswer{receipts_status_, "no"};
            }
            if (!body.is_array()) return ServerAnswer{200, json::serialize(answer(body))};
            json::array answers;
            for (const auto& each : body.as_array()) answers.push_back(answer(each));
            return ServerAnswer{200, json::serialize(answers)};
        });
        settings_.url = server_->url();
        settings_.retries = 0;
        connect();
    }
    void connect() {
        auto client = std::make_unique<JsonRpcClient>(settings_, rng_, &workers_);
        const MonitoredEndpoint::Pauses none{milliseconds(0), milliseconds(0)};
        client_ = std::make_unique<MonitoredEndpoint>("endpoint", std::move(client), none, clock_);
        source_ = std::make_unique<RpcBlockSource>(*client_, ScriptedChain::contract(), &workers_);
    }
    /// A block without logs of ours whose filter admits everything.
    void saturate(std::size_t number) {
        auto& block = chain_.mutable_blocks().at(number);
        block.logs.clear();
        block.header.bloom.bytes.fill(0xff);
    }
    /// Receipts of about this many bytes that do not make the filter.
    void fill_receipts(std::size_t bytes) {
        json::object receipt{{"logs", json::array()}, {"padding", std::string(bytes, 'x')}};
        receipts_ = json::array{};
        receipts_->push_back(std::move(receipt));
    }
    ~RpcBlockSourceTest() override {
        client_.reset();
        server_.reset();
        sys::testing::drain(context_);
    }
    static void fill_bloom(Block& block) {
        for (const auto& log : block.logs) {
            bloom_add(block.header.bloom, log.address.view());
            for (const auto& topic : log.topics) bloom_add(block.header.bloom, topic.view());
        }
    }
    json::value answer(const json::value& call) {
        const auto method = std::string(call.at("method").as_string());
        ++calls_[method];
        const auto& param = call.at("params").as_array().at(0);
        json::object out{{"jsonrpc", "2.0"}, {"id", call.at("id")}};
        if (method == "eth_getBlockByNumber") {
            out["result"] = testing::header_json(chain_.mutable_blocks().at(*as_u64(param)).header);
        } else if (method == "eth_getLogs" && only_by_topic_ && !param.as_object().contains("topics")) {
            out["error"] = {{"code", -32602}, {"message", "query returned more than 2 results"}};
        } else if (method == "eth_getLogs") {
            out["result"] = logs_json(param.as_object());
        } else if (receipts_) {
            out["result"] = *receipts_;
        } else {
            out["error"] = {{"code", -32601}, {"message", "no such method"}};
        }
        return out;
    }
    json::array logs_json(const json::object& filter) {
        json::array out;
        const bool by_hash = filter.contains("blockHash");
        for (const auto& block : chain_.mutable_blocks()) {
            const auto number = block.header.number;
            const bool wanted =
                by_hash ? filter.at("blockHash").as_string() == block.header.hash.hex0x()
                        : number >= *as_u64(filter.at("fromBlock")) && number <= *as_u64(filter.at("toBlock"));
            if (!wanted || number == left_out_everywhere_ || (!by_hash && number == left_out_of_range_)) continue;
            for (const auto& log : block.logs) {
                const auto* topics = filter.if_contains("topics");
                if (topics && topics->at(0).as_string() != log.topics.at(0).hex0x()) continue;
                out.push_back(log_json(log));
            }
        }
        if (change_logs_) change_logs_(out);
        return out;
    }
    Result<std::vector<Block>> blocks(std::uint64_t first, std::uint64_t last) {
        Outcome outcome;
        sys::testing::run_task(context_, fetch(*source_, first, last, outcome));
        return std::move(*outcome);
    }
    void expect_refused(std::uint64_t first, std::uint64_t last, const std::string& part) {
        const auto got = blocks(first, last);
        ASSERT_FALSE(got);
        EXPECT_EQ(got.error().code, ErrorCode::unavailable);
        EXPECT_NE(got.error().message.find(part), std::string::npos) << got.error().message;
    }

    asio::io_context context_;
    crypto::SystemRng rng_;
    ScriptedChain chain_;
    std::unique_ptr<HttpTestServer> server_;
    WorkerPool workers_{1};
    SystemClock clock_;
    JsonRpcSettings settings_;
    std::unique_ptr<MonitoredEndpoint> client_;
    std::unique_ptr<RpcBlockSource> source_;
    std::map<std::string, int> calls_;
    std::uint64_t left_out_of_range_ = ~0ULL;
    std::uint64_t left_out_everywhere_ = ~0ULL;
    bool only_by_topic_ = false;  ///< other questions for logs are refused: too many
    std::optional<json::array> receipts_;
    unsigned receipts_status_ = 200;
    std::function<void(json::array&)> change_logs_;
};

TEST_F(RpcBlockSourceTest, DeliversBlocksWithTheirLogs) {
    for (const auto& [first, last] : {std::pair(0, 12), std::pair(3, 8), std::pair(12, 12)}) {
        const auto got = blocks(static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(last));
        ASSERT_TRUE(got) << got.error().message;
        ASSERT_EQ(got->size(), static_cast<std::size_t>(last - first + 1));
        for (const auto& block : *got) {
            const auto& expected = chain_.mutable_blocks().at(block.header.number);
            EXPECT_EQ(block.header.hash, expected.header.hash);
            EXPECT_EQ(block.logs.size(), expected.logs.size());
        }
    }
    EXPECT_EQ(calls_["eth_getBlockReceipts"], 0);
}

TEST_F(RpcBlockSourceTest, NoticesLogsMissingFromARange) {
    left_out_of_range_ = 5;
    expect_refused(3, 8, "block 5 were left out");
}

TEST_F(RpcBlockSourceTest, NoticesLogsMissingEverywhereByTheReceipts) {
    left_out_everywhere_ = 5;
    receipts_ = json::array{};
    expect_refused(3, 8, "block 5 are missing");
    expect_refused(5, 5, "block 5 are missing");
}

TEST_F(RpcBlockSourceTest, AcceptsAFalseAlarmOfTheBloomWhenTheReceiptsExplainIt) {
    auto& block = chain_.mutable_blocks().at(5);
    Log foreign = block.logs.front();
    foreign.address = testing::account_at(77);
    // Somebody else's log whose topics happen to set the contract's bits: here, by naming it.
    foreign.topics.resize(1);
    foreign.topics.push_back(Hash32{});
    block.logs.clear();
    block.header.bloom = {};
    json::array logs;
    for (std::uint8_t i = 0; !bloom_has(block.header.bloom, ScriptedChain::contract().view()) || i == 0; ++i) {
        for (std::uint8_t k = 0; k < 255; ++k) {
            foreign.topics[1].bytes = {i, k};
            bloom_add(block.header.bloom, foreign.address.view());
            for (const auto& topic : foreign.topics) bloom_add(block.header.bloom, topic.view());
            logs.push_back(log_json(foreign));
        }
    }
    json::object receipt{{"logs", std::move(logs)}};
    receipts_ = json::array{};
    receipts_->push_back(receipt);
    const auto got = blocks(3, 8);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(calls_["eth_getBlockReceipts"], 1);
    // Without a method that proves it, two empty answers have to do.
    receipts_.reset();
    EXPECT_TRUE(blocks(3, 8));
}

TEST_F(RpcBlockSourceTest, ReceiptsLargerThanAllowedDoNotHoldTheIndexUp) {
    saturate(5);
    settings_.max_bytes = 40'000;
    settings_.large_bytes = 80'000;
    connect();
    fill_receipts(100'000);
    for (const auto& [first, last] : {std::pair(3U, 8U), std::pair(5U, 5U)}) {
        const auto got = blocks(first, last);
        ASSERT_TRUE(got) << got.error().message;
        EXPECT_EQ(got->size(), last - first + 1);
    }
    EXPECT_EQ(calls_["eth_getBlockReceipts"], 2);
    EXPECT_EQ(client_->health().failures, 0U) << client_->health().last_error;
    // What fits into the larger limit is looked at.
    fill_receipts(60'000);
    expect_refused(3, 8, "block 5 are missing");
}

TEST_F(RpcBlockSourceTest, ReceiptsThatTheEndpointFindsTooLargeDoNotHoldTheIndexUp) {
    saturate(5);
    receipts_status_ = 413;
    const auto got = blocks(3, 8);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(calls_["eth_getBlockReceipts"], 1);
    EXPECT_EQ(client_->health().failures, 0U) << client_->health().last_error;
}

TEST_F(RpcBlockSourceTest, ReceiptsThatDoNotComeAreDoneWithoutAfterThreeAttempts) {
    saturate(5);
    saturate(6);
    receipts_status_ = 503;
    unsigned failed = 0;
    while (!blocks(3, 8) && failed < 100) ++failed;
    EXPECT_EQ(failed, 4U) << "two for each of the blocks";
    EXPECT_TRUE(blocks(5, 5));
    EXPECT_EQ(calls_["eth_getBlockReceipts"], 6) << "and never again";
}

TEST_F(RpcBlockSourceTest, AsksForTheLogsOfABlockByEventIfTheyAreTooMany) {
    const auto& expected = chain_.mutable_blocks().at(5).logs;
    ASSERT_GE(expected.size(), 2U);
    only_by_topic_ = true;
    const auto got = blocks(5, 5);
    ASSERT_TRUE(got) << got.error().message;
    ASSERT_EQ(got->front().logs.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(got->front().logs[i].index, expected[i].index);
}

TEST_F(RpcBlockSourceTest, TakesABloomOfZerosAsUnknown) {
    for (auto& block : chain_.mutable_blocks()) block.header.bloom = {};
    const auto got = blocks(3, 8);
    ASSERT_TRUE(got);
    EXPECT_FALSE((*got)[0].logs.empty());
}

TEST_F(RpcBlockSourceTest, RefusesLogsThatTheBloomRulesOut) {
    auto& bloom = chain_.mutable_blocks().at(5).header.bloom;
    bloom = {};
    bloom_add(bloom, testing::account_at(99).view());
    expect_refused(3, 8, "bloom rules out");
}

TEST_F(RpcBlockSourceTest, RefusesLogsOfOtherBlocksAndContracts) {
    change_logs_ = [](json::array& logs) { logs.at(0).as_object()["blockHash"] = Hash32{}.hex0x(); };
    expect_refused(3, 8, "not the header's");
    change_logs_ = [](json::array& logs) { logs.at(0).as_object()["blockNumber"] = "0x50"; };
    expect_refused(3, 8, "outside the range");
    change_logs_ = [](json::array& logs) { logs.at(0).as_object()["address"] = testing::account_at(3).hex0x(); };
    expect_refused(3, 8, "another contract");
    change_logs_ = [](json::array& logs) { logs.insert(logs.begin(), logs.at(0)); };
    expect_refused(3, 8, "doubled");
    change_logs_ = [](json::array& logs) { std::swap(logs.at(0), logs.at(1)); };
    expect_refused(3, 8, "out of order");
}

TEST_F(RpcBlockSourceTest, RefusesHeadersThatDoNotFollow) {
    chain_.mutable_blocks().at(6).header.parent = {};
    expect_refused(3, 8, "changed meanwhile");
    chain_.mutable_blocks().at(6).header.number = 7;
    expect_refused(3, 8, "another number");
}

}  // namespace
}  // namespace myst::chain
