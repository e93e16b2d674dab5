// Deposits and withdrawals, and that no transaction is sent twice. The chain is a fake.
#include "myst/node/wallet.hpp"

#include <gtest/gtest.h>

#include "myst/chain/lanes_contract.hpp"
#include "myst/node/test_support/wallet_fixture.hpp"

namespace myst::node::test {
namespace {

TEST_F(WalletTest, ADepositNamesTheOwnerFirstAndMovesTheAmount) {
    account_.free = Amount(5);
    const auto done = run(node_.node->wallet_deposit(Amount(300)));
    ASSERT_TRUE(done) << done.error().describe();
    EXPECT_EQ(kinds_sent(), (std::vector<std::string>{"set-owner", "deposit"}));
    EXPECT_EQ(world_.sent[1].to, world_.chain.identity().lanes);
    EXPECT_EQ(world_.sent[1].purpose, "deposit " + format_tokens(Amount(300)) + " tokens");
    EXPECT_EQ(done->deposited, Amount(300));
    EXPECT_EQ(done->free, Amount(305));
}

TEST_F(WalletTest, ADepositOfNothingOrOfMoreThanThereIsIsRefused) {
    EXPECT_EQ(run(node_.node->wallet_deposit(Amount{})).error().code, ErrorCode::invalid_argument);
    const auto too_much = run(node_.node->wallet_deposit(Amount(1'000'001)));
    EXPECT_EQ(too_much.error().code, ErrorCode::insufficient_funds);
    EXPECT_NE(too_much.error().cure.find("send tokens to 0x"), std::string::npos) << too_much.error().cure;
    EXPECT_TRUE(world_.sent.empty());
}

TEST_F(WalletTest, AMinedDepositIsASuccessThoughTheChainCannotBeReadAfterwards) {
    world_.on_mined = [this](const ports::TxIntent& intent) {
        if (intent.key.starts_with("deposit")) world_.chain.out_of_reach = [] { return true; };
    };
    EXPECT_TRUE(run(node_.node->wallet_deposit(Amount(300))));
}

TEST_F(WalletTest, AWithdrawalIsAnnouncedAndPaidOutAfterTheWindow) {
    account_.free = Amount(500);
    const auto announced = run(node_.node->wallet_withdraw(Amount(200)));
    ASSERT_TRUE(announced) << announced.error().describe();
    EXPECT_FALSE(announced->paid_out);
    EXPECT_EQ(announced->amount, Amount(200));
    EXPECT_EQ(announced->available_at, UnixTime(seconds(60))) << "the block's time and the window";
    EXPECT_EQ(world_.sent.back().data, chain::call::request_exit(signer_, Amount(200)));

    account_ = {Amount(300), Amount(200), world_.clock.unix_now() + seconds(60)};
    const auto early = run(node_.node->wallet_withdraw(std::nullopt));
    EXPECT_EQ(early.error().code, ErrorCode::failed_precondition);
    EXPECT_EQ(world_.sent.size(), 1U);
    const auto more = run(node_.node->wallet_withdraw(Amount(100)));
    ASSERT_TRUE(more);
    EXPECT_EQ(more->amount, Amount(300)) << "both are announced together";

    account_.exit_at = world_.clock.unix_now() - seconds(1);
    const auto paid = run(node_.node->wallet_withdraw(std::nullopt));
    ASSERT_TRUE(paid) << paid.error().describe();
    EXPECT_TRUE(paid->paid_out);
    EXPECT_EQ(paid->amount, Amount(200));
    EXPECT_EQ(world_.sent.back().data, chain::call::withdraw(signer_, wallet_));
}

TEST_F(WalletTest, MoreThanIsFreeCannotBeWithdrawn) {
    account_.free = Amount(500);
    EXPECT_EQ(run(node_.node->wallet_withdraw(Amount(501))).error().code, ErrorCode::insufficient_funds);
    account_.free = Amount{};
    EXPECT_EQ(run(node_.node->wallet_withdraw(std::nullopt)).error().code, ErrorCode::insufficient_funds);
    EXPECT_TRUE(world_.sent.empty());
}

TEST_F(WalletTest, WhatAnEarlierRunLeftOpenIsItsOutcomeOrGoesFirst) {
    account_.free = Amount(500);
    const auto lanes = world_.chain.identity().lanes;
    world_.open_intent = ports::TxIntent{"exit:old", "old", lanes, chain::call::request_exit(signer_, Amount(200))};
    ASSERT_TRUE(run(node_.node->wallet_withdraw(Amount(200))));
    ASSERT_EQ(world_.sent.size(), 1U) << "the same wish was sent twice";
    EXPECT_EQ(world_.sent[0].key, "exit:old");
    world_.open_intent = ports::TxIntent{"exit:older", "older", lanes, chain::call::request_exit(signer_, Amount(1))};
    const auto other = run(node_.node->wallet_withdraw(Amount(200)));
    ASSERT_FALSE(other);
    EXPECT_NE(other.error().message.find("older"), std::string::npos) << other.error().message;
    EXPECT_EQ(world_.sent.size(), 2U);
}

TEST_F(WalletTest, NothingIsDoneOnAViewOlderThanTheOwnTransaction) {
    account_.free = Amount(500);
    ASSERT_TRUE(run(node_.node->wallet_withdraw(Amount(200))));
    world_.chain.head_number = 99;  // the transaction is in block 100
    const auto again = run(node_.node->wallet_withdraw(Amount(200)));
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::unavailable);
    EXPECT_EQ(world_.sent.size(), 1U);
}

TEST_F(WalletTest, TheOutboxIsDrivenFromTheStart) {
    EXPECT_EQ(world_.senders, 0);
    node_.node->start();
    EXPECT_EQ(world_.senders, 1) << "what a killed process left would wait for the next command";
}

}  // namespace
}  // namespace myst::node::test
