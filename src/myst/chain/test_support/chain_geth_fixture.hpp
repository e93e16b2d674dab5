// For tests against go-ethereum: `geth --dev`, a chain of one node that seals a block for what is sent to it.
#pragma once

#include <unistd.h>

#include <cstdlib>

#include "myst/base/test_support/temporary_directory.hpp"
#include "myst/chain/quorum_block_source.hpp"
#include "myst/chain/test_support/chain_node_fixture.hpp"

namespace myst::chain::testing {

/// All there is of a block, so that a transaction with this much gas leaves no room for another.
inline constexpr std::uint64_t kGethBlockGas = 11'500'000;

/// Everything goes through a pool of two endpoints that must agree; both are the same geth.
class ChainGeth : public ChainNode {
protected:
    void SetUp() override { start_geth({}); }
    void TearDown() override {
        ChainNode::TearDown();
        endpoints_.reset();
        node_.reset();
    }
    void start_geth(std::vector<std::string> further) {
        const char* program = std::getenv("MYST_GETH");
        if (program == nullptr) GTEST_SKIP() << "MYST_GETH does not name a geth: run make test-geth";
        if (::access(program, X_OK) != 0) GTEST_SKIP() << "MYST_GETH names no program: " << program;
        if (const auto why = contracts_missing()) GTEST_SKIP() << *why;
        // The chain is kept in memory, but the key of the node's own account is a file.
        const auto gas = std::to_string(kGethBlockGas);
        std::vector<std::string> arguments = {"--dev",
                                              "--dev.gaslimit",
                                              gas,
                                              "--miner.gaslimit",
                                              gas,
                                              "--keystore",
                                              keys_.path(),
                                              "--ipcdisable",
                                              "--http",
                                              "--http.addr",
                                              "127.0.0.1",
                                              "--http.port",
                                              "0",
                                              "--http.api",
                                              "eth,txpool,debug,web3",
                                              "--log.format",
                                              "logfmt",
                                              "--miner.gasprice",
                                              "1"};
        arguments.insert(arguments.end(), further.begin(), further.end());
        start(program, std::move(arguments), "msg=\"HTTP server started\" endpoint=");
    }
    /// Right after its start geth may not look at its pool yet; it would never seal what came before, unless something
    /// else comes after.
    void wake() override {
        const auto from = rpc("eth_accounts").at(0);
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
        while (height() == 0) {
            ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "geth does not seal";
            rpc("eth_sendTransaction", {json::object{{"from", from}, {"to", account_at(70).hex0x()}}});
            const auto pause = std::chrono::steady_clock::now() + milliseconds(300);
            while (height() == 0 && std::chrono::steady_clock::now() < pause) {
            }
        }
    }
    RpcCaller& caller() override { return *endpoints_; }
    std::unique_ptr<BlockSource> make_source() override {
        EndpointPoolSettings settings;
        settings.chain_id = identity_.chain_id;
        settings.quorum = 2;
        settings.head_age = milliseconds(0);  // a test looks at once for what it has just done
        std::vector<EndpointPool::Member> members;
        for (const auto* name : {"first", "second"}) members.push_back({name, new_client()});
        endpoints_ = std::make_unique<EndpointPool>(settings, std::move(members), clock_);
        return std::make_unique<QuorumBlockSource>(*endpoints_, identity_.lanes);
    }
    /// An empty transaction of the node's own account, for the sake of its block.
    void mine_one() { send_unlocked({{"to", account_at(70).hex0x()}, {"value", "0x1"}}); }

    TemporaryDirectory keys_;
    std::unique_ptr<EndpointPool> endpoints_;
};

}  // namespace myst::chain::testing
