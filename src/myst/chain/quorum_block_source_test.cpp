#include "myst/chain/quorum_block_source.hpp"

#include <gtest/gtest.h>

#include "myst/chain/test_support/indexer_fixture.hpp"
#include "myst/chain/test_support/scripted_endpoint.hpp"

namespace myst::chain {
namespace {

using testing::IndexerBench;
using testing::ScriptedChain;
using testing::ScriptedEndpoint;

/// An index fed by several endpoints, each with a chain of its own that begins as a copy of the right one.
class QuorumIndex {
public:
    QuorumIndex(IndexerBench& bench, std::size_t count, std::size_t quorum) : bench_(bench) {
        EndpointPoolSettings settings;
        settings.chain_id = bench.chain.id;
        settings.quorum = quorum;
        settings.head_age = milliseconds(0);
        settings.pauses = {milliseconds(0), milliseconds(0)};
        chains.assign(count, bench.chain);
        std::vector<EndpointPool::Member> members;
        for (std::size_t i = 0; i < count; ++i) {
            members.push_back(
                {std::string(1, static_cast<char>('a' + i)), std::make_unique<ScriptedEndpoint>(chains[i])});
        }
        pool = std::make_unique<EndpointPool>(settings, std::move(members), clock);
        source = std::make_unique<QuorumBlockSource>(*pool, ScriptedChain::contract());
        auto index_settings = bench.settings;
        index_settings.path = ":memory:";
        indexer = std::make_unique<Indexer>(index_settings, *source, bench.pool);
    }
    /// Follows until the index is at the tip of the right chain.
    void follow() {
        std::optional<Error> ended;
        sys::testing::run_task(bench_.context, testing::follow_until(*indexer, bench_.chain.tip().hash, ended));
        EXPECT_FALSE(ended) << ended->message;
    }
    Hash32 dump() {
        Hash32 hash;
        sys::testing::run_task(bench_.context, testing::take_dump(*indexer, hash));
        return hash;
    }

    std::vector<ScriptedChain> chains;
    SystemClock clock;
    std::unique_ptr<EndpointPool> pool;
    std::unique_ptr<QuorumBlockSource> source;
    std::unique_ptr<Indexer> indexer;

private:
    IndexerBench& bench_;
};

Task<> read_blocks(BlockSource& source, std::uint64_t first, std::uint64_t last, Result<std::vector<Block>>& out) {
    out = co_await source.blocks(first, last);
}

TEST(QuorumBlockSource, AnEndpointOnAForkOfItsOwnIsLeftOut) {
    for (std::size_t odd = 0; odd < 3; ++odd) {
        IndexerBench bench;
        bench.mine(60, 1);
        QuorumIndex index(bench, 3, 2);
        index.chains[odd].drop(10);
        for (std::uint32_t i = 0; i < 14; ++i) index.chains[odd].mine({i * 12, i}, 99);
        index.follow();
        EXPECT_EQ(index.dump(), bench.fresh_dump()) << odd;
        // Both branches grow; the index never changes over to the lonely one.
        for (std::uint32_t round = 0; round < 5; ++round) {
            bench.mine(2, 7 + round);
            for (std::size_t i = 0; i < 3; ++i) {
                if (i != odd) index.chains[i] = bench.chain;
            }
            for (std::uint32_t i = 0; i < 3; ++i) index.chains[odd].mine({i * 12}, 99);
            index.follow();
        }
        EXPECT_EQ(index.dump(), bench.fresh_dump()) << odd;
        EXPECT_EQ(index.indexer->status().reorganisations, 0U);
        const auto status = index.pool->status();
        for (std::size_t i = 0; i < 3; ++i) {
            if (i == odd) continue;
            EXPECT_EQ(status[i].disagreements, 0U) << i;
        }
        EXPECT_EQ(status[odd].disagreements > 0, odd < 2)
            << "the third is asked only if it is needed: " << status[odd].last_error;
    }
}

TEST(QuorumBlockSource, AnInventedDepositInARightBlockIsLeftOut) {
    for (std::size_t odd = 0; odd < 3; ++odd) {
        IndexerBench bench;
        bench.mine(30, 1);
        QuorumIndex index(bench, 3, 2);
        for (const std::size_t number : {20U, 30U}) {
            auto& block = index.chains[odd].mutable_blocks().at(number);
            auto log = testing::encode_event(Deposited{testing::account_at(40), {}, Amount(5), Amount(5)},
                                             ScriptedChain::contract());
            log.block_number = number;
            log.block_hash = block.header.hash;
            log.index = block.logs.size();
            block.logs.push_back(log);
        }
        index.follow();
        EXPECT_EQ(index.dump(), bench.fresh_dump()) << odd;
    }
}

Task<> look_twice(Indexer& indexer, QuorumBlockSource& source, std::optional<Result<std::vector<Block>>>& blocks) {
    blocks = co_await source.blocks(1, 20);
    auto opened = co_await indexer.open();
    EXPECT_TRUE(opened);
}

TEST(QuorumBlockSource, AnEndpointThatGivesLittleAtOnceDoesNotSlowTheOthers) {
    IndexerBench bench;
    bench.mine(20, 1);
    QuorumIndex index(bench, 3, 2);
    index.chains[0].max_range = 2;
    Result<std::vector<Block>> blocks;
    sys::testing::run_task(bench.context, read_blocks(*index.source, 1, 20, blocks));
    ASSERT_TRUE(blocks) << blocks.error().describe();
    EXPECT_EQ(blocks->size(), 20U);
    for (auto& each : index.chains) each.max_range = 2;
    sys::testing::run_task(bench.context, read_blocks(*index.source, 1, 20, blocks));
    ASSERT_FALSE(blocks);
    EXPECT_EQ(blocks.error().code, ErrorCode::limit_exceeded) << "the index then asks for less";
}

TEST(QuorumBlockSource, ABlockWhoseReceiptsNobodyCanGiveIsPassed) {
    IndexerBench bench;
    bench.mine(20, 1);
    bench.chain.mine({});
    bench.chain.mutable_blocks().back().header.bloom.bytes.fill(0xff);
    bench.mine(10, 2);
    for (const auto code : {ErrorCode::limit_exceeded, ErrorCode::unavailable}) {
        bench.chain.no_receipts = Error{code, "no receipts"};
        QuorumIndex index(bench, 3, 2);
        index.follow();
        EXPECT_EQ(index.dump(), bench.fresh_dump());
        for (const auto& each : index.pool->status()) {
            EXPECT_EQ(each.disagreements, 0U);
            if (code == ErrorCode::limit_exceeded) {
                EXPECT_EQ(each.failures, 0U) << each.last_error;
            }
        }
    }
}

TEST(QuorumBlockSource, TwoEndpointsThatDifferGiveNothing) {
    IndexerBench bench;
    bench.mine(20, 1);
    QuorumIndex index(bench, 2, 2);
    index.chains[1].drop(3);
    for (std::uint32_t i = 0; i < 3; ++i) index.chains[1].mine({i}, 99);
    std::optional<Result<std::vector<Block>>> blocks;
    sys::testing::run_task(bench.context, look_twice(*index.indexer, *index.source, blocks));
    ASSERT_TRUE(blocks);
    ASSERT_FALSE(*blocks);
    EXPECT_EQ(blocks->error().code, ErrorCode::unavailable);
    EXPECT_NE(blocks->error().message.find("blocks 1 to 20"), std::string::npos) << blocks->error().message;
    EXPECT_FALSE(blocks->error().cure.empty());
    EXPECT_FALSE(index.indexer->head());
}

TEST(QuorumBlockSource, FollowsAReorganisationOfAllEndpoints) {
    IndexerBench bench;
    bench.mine(40, 1);
    QuorumIndex index(bench, 3, 2);
    index.follow();
    bench.chain.drop(7);
    bench.mine(9, 5);
    index.chains.assign(3, bench.chain);
    index.follow();
    EXPECT_EQ(index.indexer->status().reorganisations, 1U);
    EXPECT_EQ(index.dump(), bench.fresh_dump());
}

}  // namespace
}  // namespace myst::chain
