#include "myst/chain/endpoint_pool.hpp"

#include <random>

#include "myst/chain/eth_json.hpp"
#include "myst/chain/test_support/endpoint_pool_fixture.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;
using testing::account_at;
using testing::ChainTruth;
using testing::EndpointPoolTest;

TEST_F(EndpointPoolTest, OneEndpointIsSimplyAsked) {
    start(1, 1);
    expect_truth();
    EXPECT_EQ(state(0), "ok");
    const auto reply = wait(pool_->call("eth_blockNumber"));
    ASSERT_TRUE(reply);
    EXPECT_EQ(*as_u64(*reply), truth_.head);
    EXPECT_EQ(pool_->status().at(0).head, truth_.head);
}

/// A lie as data: the method, and what becomes of its answer.
struct Lie {
    const char* name;
    const char* method;
    void (*change)(RpcReply&);
};

class EndpointLie : public EndpointPoolTest, public ::testing::WithParamInterface<Lie> {};

TEST_P(EndpointLie, OfOneInThreeIsOutvotedAndSeen) {
    const auto& lie = GetParam();
    for (std::size_t liar = 0; liar < 3; ++liar) {
        faults_ = {};
        faults_[liar].lie = [&lie](const RpcCall& call, RpcReply& reply) {
            const bool is_genesis = call.method == "eth_getBlockByNumber" && call.params.at(0) == "0x0";
            if (call.method == lie.method && !is_genesis) lie.change(reply);
        };
        start(3, 2);
        for (int round = 0; round < 3; ++round) {
            expect_truth();
            truth_.head += 1;
        }
        const auto status = pool_->status();
        for (std::size_t i = 0; i < 3; ++i) {
            if (i == liar) continue;
            EXPECT_EQ(status[i].disagreements, 0U) << i;
        }
        // The third is asked only when the first two do not suffice.
        EXPECT_EQ(status[liar].disagreements + status[liar].failures > 0, liar < 2);
    }
}

TEST_P(EndpointLie, OfOneInTwoIsAnErrorAndNoAnswer) {
    const auto& lie = GetParam();
    faults_[1].lie = [&lie](const RpcCall& call, RpcReply& reply) {
        const bool is_genesis = call.method == "eth_getBlockByNumber" && call.params.at(0) == "0x0";
        if (call.method == lie.method && !is_genesis) lie.change(reply);
    };
    start(2, 2);
    std::size_t refused = 0;
    const auto check = [&](auto answer, const auto& truth) {
        if (!answer) {
            EXPECT_FALSE(answer.error().cure.empty()) << answer.error().message;
            ++refused;
        } else {
            EXPECT_EQ(*answer, truth);
        }
    };
    ASSERT_TRUE(wait(pool_->head_number())) << "both are of the right chain";
    check(wait(chain_->account(account_at(1))), ChainTruth::account_at_block(truth_.head));
    check(wait(chain_->lane(account_at(1), account_at(2))), ChainTruth::lane_at_block(truth_.head));
    check(wait(wallet_->balance()), ChainTruth::ether_at_block(truth_.head));
    check(wait(wallet_->mined_count()), 1U);
    const auto receipt = wait(wallet_->receipt(ChainTruth::transaction()));
    if (!receipt) ++refused;
    EXPECT_TRUE(!receipt || !*receipt || (*receipt)->succeeded);
    EXPECT_GT(refused, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    Lies, EndpointLie,
    ::testing::Values(
        Lie{"balance", "eth_getBalance", [](RpcReply& reply) { reply = json::value("0xffffffffffffffffffff"); }},
        Lie{"lanes", "eth_call",
            [](RpcReply& reply) {
                if (!reply) return;
                auto text = std::string(reply->as_string());
                text.back() = text.back() == '1' ? '2' : '1';
                reply = json::value(text);
            }},
        Lie{"revert", "eth_call",
            [](RpcReply& reply) {
                reply = tl::unexpected<RpcFault>(RpcFault{3, "execution reverted", {8, 8}});
            }},
        Lie{"nonce", "eth_getTransactionCount", [](RpcReply& reply) { reply = json::value("0x5"); }},
        Lie{"no_receipt", "eth_getTransactionReceipt", [](RpcReply& reply) { reply = json::value(); }},
        Lie{"failed", "eth_getTransactionReceipt",
            [](RpcReply& reply) {
                if (!reply->is_null()) reply->as_object()["status"] = "0x0";
            }},
        Lie{"header", "eth_getBlockByNumber",
            [](RpcReply& reply) {
                if (!reply->is_null()) reply->as_object()["hash"] = Hash32{}.hex0x();
            }},
        Lie{"nonsense", "eth_getTransactionReceipt", [](RpcReply& reply) { reply = json::value(json::array{}); }}),
    [](const auto& parameter) { return std::string(parameter.param.name); });

TEST_F(EndpointPoolTest, ADeadAndASilentEndpointOfFiveAreReplaced) {
    faults_[0].dead = true;
    faults_[1].hangs = true;
    start(5, 3);
    for (int i = 0; i < 5; ++i) {
        expect_truth();
        truth_.head += 1;
    }
    EXPECT_EQ(state(0), "unreachable");
    EXPECT_GT(pool_->status().at(0).failures, 0U);
    EXPECT_NE(state(1), "ok");
    EXPECT_EQ(state(2), "ok");
}

TEST_F(EndpointPoolTest, AnEndpointThatStopsAnsweringIsPassedOver) {
    start(3, 2);
    expect_truth();
    faults_[0].hangs = true;
    for (int i = 0; i < 5; ++i) expect_truth();
    EXPECT_EQ(state(0), "unreachable");
    EXPECT_NE(pool_->status().at(0).last_error.find("no answer"), std::string::npos);
    faults_[0].hangs = false;
    expect_truth();
}

TEST_F(EndpointPoolTest, FlappingEndpointsLoseNothing) {
    faults_[0].fails_every = 2;
    faults_[1].fails_every = 7;
    start(4, 2);
    for (int i = 0; i < 50; ++i) {
        expect_truth();
        truth_.head += 1;
    }
    EXPECT_GT(pool_->status().at(0).failures, 5U);
    EXPECT_EQ(pool_->status().at(2).failures, 0U);
}

TEST_F(EndpointPoolTest, WithAQuorumOfOneTheNextEndpointStepsIn) {
    start(2, 1);
    expect_truth();
    const auto asked = logs_[1].methods.size();
    faults_[0].dead = true;
    expect_truth();
    EXPECT_GT(logs_[1].methods.size(), asked);
    faults_[0].dead = false;
    expect_truth();
    EXPECT_EQ(state(0), "ok");
}

TEST_F(EndpointPoolTest, AFarEndpointIsWaitedForWhenTheNearOnesContradictEachOther) {
    settings_.linger = milliseconds(0);  // nobody waits for the third once two have answered
    settings_.patience = milliseconds(20'000);
    faults_[0].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_getBalance") reply = json::value("0x1");
    };
    faults_[2].delay = milliseconds(5);
    start(3, 2);
    const auto ether = wait(wallet_->balance());
    ASSERT_TRUE(ether) << ether.error().describe();
    EXPECT_GT(*ether, 1U);
    EXPECT_EQ(state(0), "disagrees");
}

TEST_F(EndpointPoolTest, AReceiptCountsWhenTheQuorumHasItsBlock) {
    start(3, 2);
    faults_[1].lag = 1;
    faults_[2].lag = 1;
    truth_.mined_in = truth_.head;
    auto receipt = wait(wallet_->receipt(ChainTruth::transaction()));
    ASSERT_TRUE(receipt) << receipt.error().describe();
    EXPECT_FALSE(*receipt) << "only one endpoint has the block";
    EXPECT_EQ(pool_->status().at(0).disagreements, 0U) << "being ahead is no lie";
    faults_[2].lag = 0;
    receipt = wait(wallet_->receipt(ChainTruth::transaction()));
    ASSERT_TRUE(receipt) << receipt.error().describe();
    EXPECT_TRUE(*receipt);
}

/// Any of three endpoints may do anything, one at a time: every answer is the truth of the common head, and there is
/// always one as long as two are well.
TEST_F(EndpointPoolTest, WhateverOneOfThreeDoesEveryAnswerIsTrue) {
    std::mt19937 random(7);
    settings_.patience = milliseconds(5);
    settings_.linger = milliseconds(2);
    start(3, 2);
    constexpr int kRounds = 150;
    for (int round = 0; round < kRounds && !HasFatalFailure(); ++round) {
        faults_ = {};
        auto& fault = faults_.at(random() % 3);
        switch (random() % 7) {
            case 0: fault.dead = true; break;
            case 1: fault.hangs = true; break;
            case 2: fault.fails_every = 2; break;
            case 3: fault.lag = random() % 40; break;
            case 4: fault.id = 1; break;
            case 5: fault.other_genesis = true; break;
            default:
                fault.lie = [&random](const RpcCall& call, RpcReply& reply) {
                    if (call.method == "eth_chainId" || random() % 2 == 0) return;
                    if (random() % 4 == 0) {
                        reply = tl::unexpected<RpcFault>(RpcFault{-32000, "busy"});
                    } else {
                        reply = json::value(quantity(random()));
                    }
                };
        }
        expect_truth();
        truth_.head += random() % 3;
    }
}

}  // namespace
}  // namespace myst::chain
