// For tests against an anvil, which does to its chain what it is told.
#pragma once

#include <unistd.h>

#include "myst/chain/test_support/chain_node_fixture.hpp"

namespace myst::chain::testing {

class ChainAnvil : public ChainNode {
protected:
    void SetUp() override {
        const std::string program = MYST_SOURCE_DIR "/contracts/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";
        if (::access(program.c_str(), X_OK) != 0) GTEST_SKIP() << "anvil is not installed: run npm ci in contracts/";
        if (const auto why = contracts_missing()) GTEST_SKIP() << *why;
        start(program, {"--port", "0", "--accounts", "1"}, "Listening on ");
    }
    /// Replaces the newest `depth` blocks, and makes sure that anvil really did so.
    void reorganise(std::uint64_t depth) {
        const auto top = height();
        std::vector<Hash32> old;
        for (auto number = top + 1 - depth; number <= top; ++number)
            old.push_back(hash_at(json::value(quantity(number))));
        rpc("anvil_setCoinbase", {account_at(++coinbase_).hex0x()});
        rpc("anvil_reorg", {depth, json::array{}});
        ASSERT_EQ(height(), top);
        for (std::uint64_t i = 0; i < depth; ++i) {
            ASSERT_NE(hash_at(json::value(quantity(top + 1 - depth + i))), old[i]) << "anvil kept a block";
        }
    }

    unsigned coinbase_ = 100;
};

}  // namespace myst::chain::testing
