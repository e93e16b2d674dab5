// A node with a wallet on a fake chain, for tests of what it sends there.
#pragma once

#include <gtest/gtest.h>

#include "myst/node/test_support/fake_world.hpp"

namespace myst::node::test {

class WalletTest : public testing::Test {
protected:
    ~WalletTest() override { EXPECT_TRUE(world_.run(node_.node->shut_down())); }

    template <class T>
    Result<T> run(Task<Result<T>> task) {
        std::optional<Result<T>> result;
        EXPECT_TRUE(world_.run(store(std::move(task), result)));
        return result ? std::move(*result) : Result<T>(fail(ErrorCode::internal, "it threw"));
    }
    template <class T>
    Task<> store(Task<Result<T>> task, std::optional<Result<T>>& result) {
        result = co_await std::move(task);
    }
    std::vector<std::string> kinds_sent() const {
        std::vector<std::string> kinds;
        for (const auto& intent : world_.sent) kinds.push_back(intent.key.substr(0, intent.key.find(':')));
        return kinds;
    }

    World world_;
    TestNode node_{world_, "wallet", provider_settings()};
    const Address wallet_ = node_.keys->wallet()->address();
    const Address signer_ = node_.keys->signer()->address();
    ports::AccountState& account_ = world_.chain.accounts[signer_];
};

}  // namespace myst::node::test
