#include "myst/chain/endpoint_roster.hpp"

#include "myst/chain/eth_json.hpp"
#include "myst/chain/test_support/endpoint_pool_fixture.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;
using testing::account_at;
using testing::ChainTruth;
using testing::EndpointPoolTest;

class EndpointRosterTest : public EndpointPoolTest {};

TEST_F(EndpointRosterTest, AnEndpointOfAnotherChainIsNotUsed) {
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

TEST_F(EndpointRosterTest, AnEndpointIsIdentifiedAgainEveryHour) {
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

TEST_F(EndpointRosterTest, AnEndpointThatWasContradictedIsTrustedAgainAfterAWhile) {
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

TEST_F(EndpointRosterTest, AnotherGenesisIsNotUsed) {
    faults_[1].other_genesis = true;
    start(3, 2);
    expect_truth();
    EXPECT_EQ(state(1), "refused");
    EXPECT_NE(pool_->status().at(1).last_error.find("genesis"), std::string::npos);
}

TEST_F(EndpointRosterTest, AConfiguredGenesisBindsTheOnlyEndpoint) {
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

TEST_F(EndpointRosterTest, AnEndpointThatIsExchangedIsNoticedAfterItsFailure) {
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

TEST_F(EndpointRosterTest, ALaggingEndpointIsLeftOut) {
    faults_[0].lag = 20;
    start(3, 2);
    expect_truth();
    EXPECT_EQ(state(0), "lagging");
    EXPECT_EQ(pool_->status().at(0).lag, 20U);
    faults_[0].lag = 0;
    expect_truth();
    EXPECT_EQ(state(0), "ok");
}

TEST_F(EndpointRosterTest, AnEndpointThatIsSlowAndBehindIsCalledLagging) {
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

TEST_F(EndpointRosterTest, ALaggingEndpointDoesNotStandInForADeadOne) {
    start(3, 2);
    expect_truth();
    faults_[0].dead = true;
    faults_[1].lag = 20;
    const auto account = wait(chain_->account(account_at(1)));
    ASSERT_FALSE(account) << "a state 20 blocks old";
    EXPECT_EQ(account.error().code, ErrorCode::unavailable);
    EXPECT_NE(account.error().message.find("20 blocks behind"), std::string::npos) << account.error().message;
}

TEST_F(EndpointRosterTest, AnEndpointThatInventsBlocksDoesNotMoveTheHead) {
    faults_[2].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_blockNumber") reply = json::value("0xffffffff");
    };
    start(3, 2);
    expect_truth();
    EXPECT_EQ(*wait(pool_->head_number()), truth_.head);
}

TEST_F(EndpointRosterTest, OfSeveralStatesTheGravestIsShown) {
    start(3, 2);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(state(i), "unknown") << "nobody was asked yet";
    faults_[0].lie = [](const RpcCall& call, RpcReply& reply) {
        if (call.method == "eth_getBalance") reply = json::value("0x1");
    };
    expect_truth();
    EXPECT_EQ(state(0), "disagrees");
    faults_[0].lag = 20;
    expect_truth();
    EXPECT_EQ(state(0), "lagging");
    faults_[0].dead = true;
    expect_truth();
    EXPECT_EQ(state(0), "unreachable");
    faults_[0].dead = false;
    faults_[0].id = 5;
    expect_truth();
    EXPECT_EQ(state(0), "refused");
    faults_[0].dead = true;
    expect_truth();
    EXPECT_EQ(state(0), "refused") << "that it is away does not make its chain the right one";
    faults_[0] = {};
    expect_truth();
    EXPECT_EQ(state(0), "disagrees") << "the minute is not over";
    for (const std::size_t i : {1U, 2U}) EXPECT_EQ(state(i), "ok") << i;
}

TEST_F(EndpointRosterTest, ADeadEndpointIsNotAskedDuringItsPause) {
    ManualClock clock;
    clock_ = &clock;
    settings_.pauses = {milliseconds(250), milliseconds(5'000)};
    start(3, 2);
    expect_truth();
    faults_[0].dead = true;
    expect_truth();
    const auto asked = logs_[0].methods.size();
    expect_truth();
    clock.advance(milliseconds(249));
    expect_truth();
    EXPECT_EQ(logs_[0].methods.size(), asked);
    faults_[0].dead = false;
    clock.advance(milliseconds(1));
    expect_truth();
    EXPECT_EQ(state(0), "ok");
    EXPECT_EQ(logs_[0].methods.at(asked), "eth_chainId") << "it has to show again which chain it serves";
}

TEST_F(EndpointRosterTest, WhoIsFarBehindIsNotAskedAboutMoney) {
    for (std::size_t far = 0; far < 3; ++far) {
        faults_ = {};
        logs_ = {};
        faults_[far].lag = 500;
        start(3, 2);
        expect_truth();
        EXPECT_EQ(*wait(pool_->head_number()), truth_.head) << far;
        EXPECT_EQ(state(far), "lagging");
        EXPECT_EQ(pool_->status().at(far).lag, 500U);
        for (const auto& method : logs_[far].methods) {
            EXPECT_TRUE(method == "eth_chainId" || method == "eth_blockNumber" || method == "eth_getBlockByNumber")
                << far << ": " << method;
        }
    }
}

/// Two of three are where the chain is for the quorum; that the third knows 40 more blocks makes them no laggards.
TEST_F(EndpointRosterTest, WhoIsFarAheadWaitsForTheOthers) {
    for (std::size_t far = 0; far < 3; ++far) {
        faults_ = {};
        for (std::size_t i = 0; i < 3; ++i) faults_[i].lag = i == far ? 0 : 40;
        start(3, 2);
        const auto common = truth_.head - 40;
        EXPECT_EQ(*wait(pool_->head_number()), common);
        const auto account = wait(chain_->account(account_at(1)));
        ASSERT_TRUE(account) << account.error().describe();
        EXPECT_EQ(*account, ChainTruth::account_at_block(common));
        for (std::size_t i = 0; i < 3; ++i) {
            EXPECT_EQ(state(i), "ok") << i;
            EXPECT_EQ(pool_->status().at(i).disagreements, 0U) << i;
        }
        faults_[(far + 1) % 3].dead = true;
        EXPECT_EQ(*wait(chain_->account(account_at(1))), ChainTruth::account_at_block(common))
            << "it stands in, about the block that the other one has";
    }
}

TEST_F(EndpointRosterTest, WhereAllMustAgreeOneThatFallsBehindStopsThem) {
    start(3, 3);
    expect_truth();
    faults_[2].lag = 10;
    expect_truth();
    EXPECT_EQ(*wait(pool_->head_number()), truth_.head - 10) << "the newest block that all have";
    faults_[2].lag = 17;
    const auto account = wait(chain_->account(account_at(1)));
    ASSERT_FALSE(account) << "a state that is older than one that was seen before";
    EXPECT_EQ(account.error().code, ErrorCode::unavailable);
    EXPECT_NE(account.error().message.find("c: 17 blocks behind"), std::string::npos) << account.error().message;
    faults_[2].lag = 0;
    expect_truth();
}

}  // namespace
}  // namespace myst::chain
