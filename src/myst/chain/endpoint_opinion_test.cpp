#include "myst/chain/endpoint_pool.hpp"

#include "myst/chain/eth_json.hpp"
#include "myst/chain/test_support/endpoint_pool_fixture.hpp"
#include "myst/crypto/keccak.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;
using testing::account_at;
using testing::ChainTruth;
using testing::EndpointPoolTest;

class EndpointOpinionTest : public EndpointPoolTest {};

TEST_F(EndpointOpinionTest, ATransactionGoesToEveryEndpoint) {
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

TEST_F(EndpointOpinionTest, TwoEstimatesOfGasThatDifferWidelyDecideNothing) {
    faults_[0].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_estimateGas") reply = json::value("0xffffffff");
    };
    start(2, 2);
    const auto gas = wait(wallet_->estimate_gas(account_at(2), {1}));
    ASSERT_FALSE(gas) << "closing an intent for it, or spending so much, would be the liar's choice";
    EXPECT_EQ(gas.error().code, ErrorCode::unavailable);
}

TEST_F(EndpointOpinionTest, RevertsThatAreWordedDifferentlyOutvoteAnEstimate) {
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

TEST_F(EndpointOpinionTest, GasAndTipsAreMediansAndARevertNeedsTheQuorum) {
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

TEST_F(EndpointOpinionTest, ATransactionIsKnownIfOneEndpointKnowsIt) {
    start(3, 2);
    EXPECT_FALSE(*wait(wallet_->knows(ChainTruth::transaction())));
    faults_[2].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_getTransactionByHash") reply = json::value{{"hash", "0x1"}};
    };
    EXPECT_TRUE(*wait(wallet_->knows(ChainTruth::transaction())));
}

TEST_F(EndpointOpinionTest, AMethodThatNobodyHasIsARefusal) {
    start(3, 2);
    RpcCall call{"eth_unknown", {}};
    const auto reply = wait(pool_->exchange(call));
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_FALSE(*reply);
}

TEST_F(EndpointOpinionTest, TwoEndpointsThatDifferAboutTheBaseFeeGiveNone) {
    faults_[1].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_feeHistory") reply->as_object()["baseFeePerGas"] = {"0x3b9aca00", "0xffffffffff"};
    };
    start(2, 2);
    const auto fees = wait(wallet_->fees());
    ASSERT_FALSE(fees);
    EXPECT_EQ(fees.error().code, ErrorCode::unavailable);
    EXPECT_NE(fees.error().message.find("contradict each other about eth_feeHistory"), std::string::npos)
        << fees.error().message;
    EXPECT_FALSE(fees.error().cure.empty());
    faults_[1].lie = nullptr;
    const auto agreed = wait(wallet_->fees());
    ASSERT_TRUE(agreed) << agreed.error().describe();
    EXPECT_EQ(agreed->base, 1'000'000'000U);
}

TEST_F(EndpointOpinionTest, TwoTipsThatDifferAreTheHigherOne) {
    faults_[0].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_maxPriorityFeePerGas") reply = json::value("0x77359400");
    };
    start(2, 2);
    const auto fees = wait(wallet_->fees());
    ASSERT_TRUE(fees) << fees.error().describe();
    EXPECT_EQ(fees->priority, 2'000'000'000U) << "what is too high is cut where fees are set";
}

TEST_F(EndpointOpinionTest, TwoEstimatesOfGasThatDifferALittleAreTheHigherOne) {
    faults_[0].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_estimateGas") reply = json::value("0xea60");
    };
    start(2, 2);
    const auto gas = wait(wallet_->estimate_gas(account_at(2), {1}));
    ASSERT_TRUE(gas && *gas);
    EXPECT_EQ(*as_u64(**gas), 60'000U);
}

TEST_F(EndpointOpinionTest, AnEndpointThatTakesAndDropsEverythingHidesNothingFromTheOthers) {
    start(3, 2);
    faults_[1].hangs = true;  // and another one is away
    const Bytes raw{2, 7, 9};
    const auto reply = wait(wallet_->send(raw));
    ASSERT_TRUE(reply && *reply);
    EXPECT_EQ(logs_[2].sent, std::vector<std::string>{to_hex0x(raw)}) << "the first one's word is not enough";
    faults_[2].lie = [](const RpcCall& call, RpcReply& other) {
        if (call.method == "eth_getTransactionByHash") other = json::value{{"hash", "0x1"}};
    };
    EXPECT_TRUE(*wait(wallet_->knows(crypto::keccak256(raw)))) << "the one that keeps it tells so";
}

}  // namespace
}  // namespace myst::chain
