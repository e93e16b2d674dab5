// For tests: a pool of endpoints that serve one scripted chain state.
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "myst/chain/rpc_chain.hpp"
#include "myst/chain/test_support/endpoint_double.hpp"
#include "myst/chain/test_support/event_script.hpp"
#include "myst/chain/wallet_rpc.hpp"
#include "myst/sys/task_test.hpp"

namespace myst::chain::testing {

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

}  // namespace myst::chain::testing
