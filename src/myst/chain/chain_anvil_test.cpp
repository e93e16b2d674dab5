// The whole of chain/ against a real node and the real contracts.
#include "myst/chain/test_support/chain_anvil_fixture.hpp"

namespace myst::chain {
namespace {

using testing::ChainAnvil;
using testing::kMinStake;
using testing::kWindow;
using testing::submit_while_running;
using testing::wait_for_pending;

/// Waits for a transaction, makes the node forget it, waits until it is there again, and lets it be mined.
Task<Result<>> lose_mempool_then_mine(JsonRpcClient& client) {
    auto pending = co_await wait_for_pending(client);
    if (!pending) co_return pending;
    auto dropped = co_await client.call("anvil_dropAllTransactions");
    if (!dropped) co_return forward_error(dropped);
    pending = co_await wait_for_pending(client);
    if (!pending) co_return pending;
    auto mined = co_await client.call("evm_mine");
    if (!mined) co_return forward_error(mined);
    co_return Result<>{};
}

TEST_F(ChainAnvil, TheIndexAgreesWithTheContractThroughTheLifeOfALane) {
    live_through_a_lane([this] {
        rpc("evm_increaseTime", {kWindow + 1});
        rpc("evm_mine");
    });
}

TEST_F(ChainAnvil, TheContractPaysTicksThatTheNodeMade) {
    settle_ticks_in_steps();
}

TEST_F(ChainAnvil, TermsAreTheConstructors) {
    const auto terms = wait(remote_->terms());
    ASSERT_TRUE(terms) << terms.error().message;
    EXPECT_EQ(terms->fee_bps, 50U);
    EXPECT_EQ(terms->window, seconds(kWindow));
    EXPECT_EQ(terms->min_stake, Amount(kMinStake));
    EXPECT_GT(wait(remote_->ether_balance(key_.address())).value(), 0);
}

TEST_F(ChainAnvil, ReadersRefuseAnotherChainTokenOrContract) {
    auto wrong = identity_;
    wrong.chain_id = 1;
    RpcChain other_chain(wrong, *client_);
    EXPECT_EQ(wait(other_chain.account(key_.address())).error().code, ErrorCode::failed_precondition);
    wrong = identity_;
    wrong.token = testing::account_at(1);
    RpcChain other_token(wrong, *client_);
    EXPECT_EQ(wait(other_token.account(key_.address())).error().code, ErrorCode::failed_precondition);
    wrong = identity_;
    wrong.lanes = testing::account_at(1);
    RpcChain no_contract(wrong, *client_);
    const auto account = wait(no_contract.account(key_.address()));
    ASSERT_FALSE(account);
    EXPECT_NE(account.error().message.find("no contract"), std::string::npos) << account.error().message;
}

TEST_F(ChainAnvil, ReportsWhyACallWouldRevert) {
    const auto outcome = submit("withdraw too early", call::withdraw(key_.address(), key_.address()));
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, ErrorCode::failed_precondition);
    EXPECT_NE(outcome.error().message.find("NothingExiting"), std::string::npos) << outcome.error().message;
}

TEST_F(ChainAnvil, FollowsReorganisations) {
    deposit_and_settle();
    rpc("anvil_mine", {"0x5"});
    expect_consistent();
    ASSERT_FALSE(wait(indexed_->lane(key_.address(), provider_)).value().paid.is_zero());

    reorganise(6);  // takes the settlement away
    expect_consistent();
    EXPECT_TRUE(wait(indexed_->lane(key_.address(), provider_)).value().paid.is_zero());
    EXPECT_EQ(wait(indexed_->account(key_.address())).value().free, Amount(100'000));

    reorganise(2);
    restart_indexer();  // while it is stopped
    expect_consistent();

    rpc("anvil_rollback", {6});
    rpc("anvil_setCoinbase", {testing::account_at(++coinbase_).hex0x()});
    rpc("evm_mine");
    expect_consistent();
    EXPECT_GE(indexer_->status().reorganisations, 1U);
}

TEST_F(ChainAnvil, FollowsDeepReorganisationsUpToTheLimit) {
    deposit_and_settle();
    rpc("anvil_mine", {"0x6e"});
    expect_consistent();
    reorganise(96);
    expect_consistent();
    const auto before = dump(*indexer_);
    reorganise(97);
    const auto ended = follow(*indexer_);
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->code, ErrorCode::failed_precondition);
    EXPECT_EQ(dump(*indexer_), before);
    EXPECT_FALSE(wait(indexed_->account(key_.address()))) << "outdated tables are not served";
}

TEST_F(ChainAnvil, TheOutboxSendsAgainWhatAReorganisationDropped) {
    deposit_and_settle();
    reorganise(1);
    EXPECT_TRUE(wait(remote_->lane(key_.address(), provider_)).value().paid.is_zero());
    expect_done("exit", call::request_exit(key_.address(), Amount(1000)));
    EXPECT_EQ(wait(remote_->lane(key_.address(), provider_)).value().paid, Amount(10'000));
    EXPECT_EQ(as_u64(rpc("eth_getTransactionCount", {key_.address().hex0x(), "latest"})).value(), 3U);
    expect_consistent();
}

TEST_F(ChainAnvil, SurvivesALostMempool) {
    rpc("evm_setAutomine", {false});
    const Amount amount(1000);
    ports::TxIntent intent{"deposit", "deposit", identity_.lanes,
                           call::deposit_with_permit(key_.address(), amount, permit(amount))};
    std::optional<Result<>> helper;
    asio::co_spawn(context_, lose_mempool_then_mine(*client_),
                   [&](std::exception_ptr, Result<> done) { helper = std::move(done); });
    const auto outcome = wait(submit_while_running(*outbox_, std::move(intent)));
    ASSERT_TRUE(outcome) << outcome.error().message;
    ASSERT_TRUE(helper && *helper);
    EXPECT_EQ(wait(remote_->account(key_.address())).value().free, amount);
}

}  // namespace
}  // namespace myst::chain
