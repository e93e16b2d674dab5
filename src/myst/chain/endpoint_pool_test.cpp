#include "myst/chain/endpoint_pool.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include <boost/asio/post.hpp>

#include "myst/chain/eth_json.hpp"
#include "myst/chain/rpc_chain.hpp"
#include "myst/chain/test_support/endpoint_double.hpp"
#include "myst/chain/test_support/event_script.hpp"
#include "myst/chain/wallet_rpc.hpp"
#include "myst/crypto/keccak.hpp"
#include "myst/sys/task_test.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;
using testing::account_at;
using testing::ChainTruth;
using testing::EndpointDouble;
using testing::EndpointFault;

/// Up to five endpoints, named a, b, c, …
class EndpointPoolTest : public ::testing::Test {
protected:
    EndpointPoolTest() {
        settings_.chain_id = ChainTruth::identity().chain_id;
        settings_.head_age = milliseconds(0);
        settings_.patience = milliseconds(50);
        settings_.linger = milliseconds(20);
        settings_.refused_check = milliseconds(0);
        settings_.pauses = {milliseconds(0), milliseconds(0)};
    }
    void start(std::size_t count, std::size_t quorum) {
        settings_.quorum = quorum;
        std::vector<EndpointPool::Member> members;
        for (std::size_t i = 0; i < count; ++i) {
            members.push_back({std::string(1, static_cast<char>('a' + i)),
                               std::make_unique<EndpointDouble>(truth_, faults_.at(i), logs_.at(i))});
        }
        pool_ = std::make_unique<EndpointPool>(settings_, std::move(members), *clock_);
        chain_ = std::make_unique<RpcChain>(ChainTruth::identity(), *pool_);
        wallet_ = std::make_unique<WalletRpc>(*pool_, account_at(1));
    }
    template <class T>
    T wait(Task<T> task) {
        return sys::testing::run_value(context_, std::move(task));
    }
    std::string_view state(std::size_t i) { return to_string(pool_->status().at(i).state); }
    /// Whether a block is as new as the pool promises; which of these it is depends on who answered in time.
    void expect_recent(std::uint64_t number) {
        EXPECT_LE(number, truth_.head);
        EXPECT_LE(truth_.head - std::min(number, truth_.head), settings_.max_lag);
    }
    /// Every answer about money must be that of one recent block, in all its parts.
    void expect_truth() {
        const auto account = wait(chain_->account(account_at(1)));
        ASSERT_TRUE(account) << account.error().describe();
        const auto block = static_cast<std::uint64_t>(account->exiting.units());
        EXPECT_EQ(*account, ChainTruth::account_at_block(block));
        expect_recent(block);
        const auto lane = wait(chain_->lane(account_at(1), account_at(2)));
        ASSERT_TRUE(lane) << lane.error().describe();
        const auto lane_block = static_cast<std::uint64_t>(lane->paid.units());
        EXPECT_EQ(*lane, ChainTruth::lane_at_block(lane_block));
        expect_recent(lane_block);
        const auto ether = wait(wallet_->balance());
        ASSERT_TRUE(ether) << ether.error().describe();
        EXPECT_LE(*ether, ChainTruth::ether_at_block(truth_.head));
        EXPECT_GE(*ether, ChainTruth::ether_at_block(truth_.head - settings_.max_lag));
        const auto receipt = wait(wallet_->receipt(ChainTruth::transaction()));
        ASSERT_TRUE(receipt) << receipt.error().describe();
        ASSERT_TRUE(*receipt);
        EXPECT_EQ((*receipt)->block.number, truth_.mined_in);
        EXPECT_TRUE((*receipt)->succeeded);
        const auto count = wait(wallet_->mined_count());
        ASSERT_TRUE(count) << count.error().describe();
        EXPECT_EQ(*count, 1U);
    }

    asio::io_context context_;
    ChainTruth truth_;
    std::array<EndpointFault, 5> faults_{};
    std::array<EndpointDouble::Log, 5> logs_{};
    EndpointPoolSettings settings_;
    SystemClock system_clock_;
    const Clock* clock_ = &system_clock_;
    std::unique_ptr<EndpointPool> pool_;
    std::unique_ptr<RpcChain> chain_;
    std::unique_ptr<WalletRpc> wallet_;
};

TEST_F(EndpointPoolTest, OneEndpointIsSimplyAsked) {
    start(1, 1);
    expect_truth();
    EXPECT_EQ(state(0), "ok");
    const auto reply = wait(pool_->call("eth_blockNumber"));
    ASSERT_TRUE(reply);
    EXPECT_EQ(*as_u64(*reply), truth_.head);
    EXPECT_EQ(pool_->status().at(0).head, truth_.head);
}

TEST_F(EndpointPoolTest, AnEndpointOfAnotherChainIsNotUsed) {
    faults_[0].id = 5;
    start(3, 2);
    expect_truth();
    EXPECT_EQ(state(0), "refused");
    EXPECT_NE(pool_->status().at(0).last_error.find("serves chain 5"), std::string::npos);
    for (const auto& method : logs_[0].methods) EXPECT_EQ(method, "eth_chainId");
    faults_[0].id.reset();
    expect_truth();
    EXPECT_EQ(state(0), "ok") << "it was corrected";
}

TEST_F(EndpointPoolTest, AnEndpointIsIdentifiedAgainEveryHour) {
    ManualClock clock;
    clock_ = &clock;
    start(3, 2);
    expect_truth();
    faults_[0].id = 5;
    clock.advance(settings_.identity_check - milliseconds(1));
    expect_truth();
    EXPECT_EQ(state(0), "ok");
    clock.advance(milliseconds(1));
    expect_truth();
    EXPECT_EQ(state(0), "refused") << "another one answers behind its URL";
}

TEST_F(EndpointPoolTest, AnEndpointThatWasContradictedIsTrustedAgainAfterAWhile) {
    ManualClock clock;
    clock_ = &clock;
    start(3, 2);
    faults_[0].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_getBalance") reply = json::value("0x1");
    };
    expect_truth();
    faults_[0].lie = nullptr;
    EXPECT_EQ(state(0), "disagrees");
    clock.advance(settings_.distrust - milliseconds(1));
    EXPECT_EQ(state(0), "disagrees");
    clock.advance(milliseconds(1));
    EXPECT_EQ(state(0), "ok");
}

TEST_F(EndpointPoolTest, AnotherGenesisIsNotUsed) {
    faults_[1].other_genesis = true;
    start(3, 2);
    expect_truth();
    EXPECT_EQ(state(1), "refused");
    EXPECT_NE(pool_->status().at(1).last_error.find("genesis"), std::string::npos);
}

TEST_F(EndpointPoolTest, AConfiguredGenesisBindsTheOnlyEndpoint) {
    settings_.genesis = ChainTruth::hash_of(0);
    start(1, 1);
    expect_truth();
    settings_.genesis = ChainTruth::hash_of(1);
    start(1, 1);
    const auto account = wait(chain_->account(account_at(1)));
    ASSERT_FALSE(account);
    EXPECT_EQ(account.error().code, ErrorCode::failed_precondition);
    EXPECT_NE(account.error().message.find("genesis"), std::string::npos) << account.error().message;
    EXPECT_FALSE(account.error().cure.empty());
}

TEST_F(EndpointPoolTest, AnEndpointThatIsExchangedIsNoticedAfterItsFailure) {
    start(1, 1);
    expect_truth();
    faults_[0].dead = true;
    EXPECT_FALSE(wait(chain_->account(account_at(1))));
    EXPECT_EQ(state(0), "unreachable");
    faults_[0] = {};
    faults_[0].id = 5;
    const auto account = wait(chain_->account(account_at(1)));
    ASSERT_FALSE(account);
    EXPECT_NE(account.error().message.find("serves chain 5"), std::string::npos) << account.error().message;
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

TEST_F(EndpointPoolTest, ALaggingEndpointIsLeftOut) {
    faults_[0].lag = 20;
    start(3, 2);
    expect_truth();
    EXPECT_EQ(state(0), "lagging");
    EXPECT_EQ(pool_->status().at(0).lag, 20U);
    faults_[0].lag = 0;
    expect_truth();
    EXPECT_EQ(state(0), "ok");
}

TEST_F(EndpointPoolTest, AnEndpointThatIsSlowAndBehindIsCalledLagging) {
    settings_.patience = milliseconds(1);
    settings_.linger = milliseconds(20'000);  // until all have answered
    faults_[0].delay = milliseconds(5);
    faults_[1].delay = milliseconds(5);
    faults_[0].lag = 20;
    start(3, 2);
    expect_truth();
    EXPECT_EQ(state(0), "lagging") << "that is why it is not asked";
    EXPECT_EQ(state(1), "slow");
}

TEST_F(EndpointPoolTest, ALaggingEndpointDoesNotStandInForADeadOne) {
    start(3, 2);
    expect_truth();
    faults_[0].dead = true;
    faults_[1].lag = 20;
    const auto account = wait(chain_->account(account_at(1)));
    ASSERT_FALSE(account) << "a state 20 blocks old";
    EXPECT_EQ(account.error().code, ErrorCode::unavailable);
    EXPECT_NE(account.error().message.find("20 blocks behind"), std::string::npos) << account.error().message;
}

TEST_F(EndpointPoolTest, AnEndpointThatInventsBlocksDoesNotMoveTheHead) {
    faults_[2].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_blockNumber") reply = json::value("0xffffffff");
    };
    start(3, 2);
    expect_truth();
    EXPECT_EQ(*wait(pool_->head_number()), truth_.head);
}

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

TEST_F(EndpointPoolTest, ATransactionGoesToEveryEndpoint) {
    faults_[0].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_sendRawTransaction") reply = json::value(Hash32{}.hex0x());
    };
    faults_[1].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_sendRawTransaction")
            reply = tl::unexpected<RpcFault>(RpcFault{-32000, "already known"});
    };
    faults_[3].lag = 20;
    start(4, 2);
    const Bytes raw{2, 7, 9};
    const auto reply = wait(wallet_->send(raw));
    ASSERT_TRUE(reply) << reply.error().message;
    ASSERT_TRUE(*reply) << "one that takes it suffices";
    EXPECT_EQ((*reply)->as_string(), crypto::keccak256(raw).hex0x());
    for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(logs_[i].sent, std::vector<std::string>{to_hex0x(raw)}) << i;
    faults_[2].lie = faults_[1].lie;
    faults_[3].lie = faults_[1].lie;
    const auto refused = wait(wallet_->send(raw));
    ASSERT_TRUE(refused);
    EXPECT_FALSE(*refused) << "nobody took it";
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

TEST_F(EndpointPoolTest, TwoEstimatesOfGasThatDifferWidelyDecideNothing) {
    faults_[0].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_estimateGas") reply = json::value("0xffffffff");
    };
    start(2, 2);
    const auto gas = wait(wallet_->estimate_gas(account_at(2), {1}));
    ASSERT_FALSE(gas) << "closing an intent for it, or spending so much, would be the liar's choice";
    EXPECT_EQ(gas.error().code, ErrorCode::unavailable);
}

TEST_F(EndpointPoolTest, RevertsThatAreWordedDifferentlyOutvoteAnEstimate) {
    const auto revert_with = [](Bytes data) {
        return [data](const RpcCall& call, RpcReply& reply) {
            if (call.method == "eth_estimateGas") reply = tl::unexpected<RpcFault>(RpcFault{3, "reverted", data});
        };
    };
    faults_[1].lie = revert_with({});
    faults_[2].lie = revert_with({8, 8, 8, 8});
    start(3, 2);
    const auto gas = wait(wallet_->estimate_gas(account_at(2), {1}));
    ASSERT_TRUE(gas) << gas.error().describe();
    EXPECT_FALSE(*gas);
}

TEST_F(EndpointPoolTest, GasAndTipsAreMediansAndARevertNeedsTheQuorum) {
    faults_[0].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_estimateGas") reply = json::value("0xffffffff");
        if (call.method == "eth_maxPriorityFeePerGas") reply = json::value("0xffffffffffff");
        if (call.method == "eth_feeHistory") reply->as_object()["baseFeePerGas"] = {"0xffffffffff", "0xffffffffff"};
    };
    start(3, 2);
    auto gas = wait(wallet_->estimate_gas(account_at(2), {1}));
    ASSERT_TRUE(gas && *gas);
    EXPECT_EQ(*as_u64(**gas), 50'000U);
    const auto fees = wait(wallet_->fees());
    ASSERT_TRUE(fees) << fees.error().message;
    EXPECT_EQ(fees->base, 1'000'000'000U);
    EXPECT_EQ(fees->priority, 1'000'000'000U);
    const auto revert = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_estimateGas") reply = tl::unexpected<RpcFault>(RpcFault{3, "execution reverted"});
    };
    faults_[0].lie = revert;
    gas = wait(wallet_->estimate_gas(account_at(2), {1}));
    ASSERT_TRUE(gas && *gas) << "one endpoint cannot refuse an intent";
    faults_[1].lie = revert;
    gas = wait(wallet_->estimate_gas(account_at(2), {1}));
    ASSERT_TRUE(gas);
    EXPECT_FALSE(*gas);
}

TEST_F(EndpointPoolTest, ATransactionIsKnownIfOneEndpointKnowsIt) {
    start(3, 2);
    EXPECT_FALSE(*wait(wallet_->knows(ChainTruth::transaction())));
    faults_[2].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_getTransactionByHash") reply = json::value{{"hash", "0x1"}};
    };
    EXPECT_TRUE(*wait(wallet_->knows(ChainTruth::transaction())));
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

TEST_F(EndpointPoolTest, AMethodThatNobodyHasIsARefusal) {
    start(3, 2);
    RpcCall call{"eth_unknown", {}};
    const auto reply = wait(pool_->exchange(call));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_FALSE(*reply);
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
