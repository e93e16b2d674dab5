#include "myst/chain/indexer.hpp"

#include <gtest/gtest.h>

#include <set>

#include "myst/chain/indexed_chain.hpp"
#include "myst/chain/json_rpc.hpp"
#include "myst/chain/test_support/indexer_fixture.hpp"
#include "myst/crypto/system_rng.hpp"

namespace myst::chain {
namespace {

using testing::IndexerBench;

Task<> compare_tables(Indexer& indexer, testing::LanesModel model) {
    auto check = [&model](ChainStore& store) -> Result<> {
        for (const auto& [signer, expected] : model.accounts) EXPECT_EQ(store.account(signer).value(), expected);
        for (const auto& [signer, expected] : model.owners) EXPECT_EQ(store.owner(signer).value(), expected);
        for (const auto& [key, expected] : model.lanes) {
            EXPECT_EQ(store.lane(key.first, key.second).value(), expected);
        }
        for (const auto& [provider, expected] : model.providers) {
            EXPECT_EQ(store.provider(provider).value(), expected);
        }
        return {};
    };
    auto done = co_await indexer.query(std::move(check));
    EXPECT_TRUE(done);
}

/// Reads the registry in pages of one, and asks for every key that might be registered.
Task<> compare_registry(Indexer& indexer, testing::LanesModel model) {
    auto check = [&model](ChainStore& store) -> Result<> {
        std::vector<ports::RegisteredProvider> all;
        for (Address after;;) {
            auto page = store.registered(after, 1);
            EXPECT_TRUE(page && page->size() <= 1);
            if (!page || page->empty()) break;
            all.insert(all.end(), page->begin(), page->end());
            after = page->back().provider;
        }
        std::vector<ports::RegisteredProvider> expected;
        std::set<NodeKey> keys;
        for (const auto& [provider, state] : model.providers) {
            if (state == ports::ProviderState{}) continue;
            expected.push_back({provider, state});
            keys.insert(state.node_key);
        }
        EXPECT_EQ(all, expected);
        for (unsigned i = 0; i < 10; ++i) {
            NodeKey key;  // the model's keys are among these
            key.bytes[0] = static_cast<std::uint8_t>(i);
            EXPECT_EQ(store.is_registered(key).value(), keys.contains(key)) << key.hex();
        }
        return {};
    };
    auto done = co_await indexer.query(std::move(check));
    EXPECT_TRUE(done);
}

void expect_like_model(IndexerBench& bench) {
    sys::testing::run_task(bench.context, compare_tables(*bench.indexer, bench.chain.model()));
}

TEST(Indexer, FollowsAndAgreesWithTheContract) {
    IndexerBench bench;
    bench.mine(200, 1);
    ASSERT_FALSE(bench.follow());
    EXPECT_EQ(bench.indexer->head()->number, 200U);
    EXPECT_EQ(bench.indexer->status().state, ports::IndexState::following);
    expect_like_model(bench);
    EXPECT_EQ(bench.dump(), bench.fresh_dump());
    bench.mine(3, 2);
    ASSERT_FALSE(bench.follow());
    expect_like_model(bench);
}

TEST(Indexer, GoesOnAfterARestart) {
    IndexerBench bench;
    bench.mine(20, 1);
    ASSERT_FALSE(bench.follow());
    bench.restart();
    bench.mine(20, 2);
    const auto calls = bench.chain.calls;
    ASSERT_FALSE(bench.follow());
    EXPECT_LT(bench.chain.calls - calls, 12U) << "it began anew";
    EXPECT_EQ(bench.dump(), bench.fresh_dump());
}

TEST(Indexer, ListsTheRegistryAndFindsNodeKeys) {
    IndexerBench bench;
    bench.mine(200, 1);
    ASSERT_FALSE(bench.follow());
    std::size_t registered = 0;
    for (const auto& [provider, state] : bench.chain.model().providers) {
        if (state != ports::ProviderState{}) ++registered;
    }
    ASSERT_GT(registered, 1U) << "the pages would not be tested";
    sys::testing::run_task(bench.context, compare_registry(*bench.indexer, bench.chain.model()));
}

/// A reorganisation as data.
struct Reorg {
    std::size_t depth;  ///< blocks replaced
    std::size_t grown;  ///< blocks on the new branch
    bool while_stopped;
};

class IndexerReorg : public ::testing::TestWithParam<Reorg> {};

TEST_P(IndexerReorg, EqualsAFreshIndex) {
    const auto& reorg = GetParam();
    IndexerBench bench;
    bench.mine(120, 3);
    ASSERT_FALSE(bench.follow());
    const auto before = bench.dump();
    if (reorg.while_stopped) bench.restart();
    bench.chain.drop(reorg.depth);
    bench.mine(reorg.grown, 4);
    ASSERT_FALSE(bench.follow());
    EXPECT_NE(bench.dump(), before);
    EXPECT_EQ(bench.dump(), bench.fresh_dump());
    EXPECT_EQ(bench.indexer->status().reorganisations, 1U);
    expect_like_model(bench);
}

INSTANTIATE_TEST_SUITE_P(Depths, IndexerReorg,
                         ::testing::Values(Reorg{1, 1, false}, Reorg{1, 2, false}, Reorg{2, 1, false},
                                           Reorg{3, 10, false}, Reorg{10, 3, false}, Reorg{17, 17, true},
                                           Reorg{64, 65, false}, Reorg{95, 1, false}, Reorg{96, 97, false},
                                           Reorg{96, 96, true}, Reorg{1, 1, true}, Reorg{5, 40, true}));

TEST(Indexer, BelievesAShorterChainAfterAWhile) {
    IndexerBench bench;
    bench.mine(30, 3);
    ASSERT_FALSE(bench.follow());
    bench.chain.drop(10);
    ASSERT_FALSE(bench.follow());
    EXPECT_EQ(bench.indexer->head()->number, 20U);
    EXPECT_EQ(bench.dump(), bench.fresh_dump());
}

Task<> count_polls(Indexer& indexer, testing::ScriptedChain& chain, std::size_t calls) {
    const auto executor = co_await asio::this_coro::executor;
    std::optional<Error> ended;
    EventSignal signal(executor);
    TaskGroup group(executor);
    group.spawn("indexer", testing::drive(indexer, ended, signal));
    const auto target = chain.calls + calls;
    while (chain.calls < target && !ended) co_await asio::post(executor, asio::use_awaitable);
    EXPECT_FALSE(ended);
    group.cancel();
    co_await group.join();
}

TEST(Indexer, IgnoresAnEndpointThatLagsNowAndThen) {
    IndexerBench bench;
    bench.settings.believe_shorter_after = 1000;
    bench.restart();
    bench.mine(30, 3);
    ASSERT_FALSE(bench.follow());
    bench.chain.lag = 10;
    sys::testing::run_task(bench.context, count_polls(*bench.indexer, bench.chain, 20));
    EXPECT_EQ(bench.indexer->head()->number, 30U);
    bench.chain.lag.reset();
    bench.mine(1, 4);
    ASSERT_FALSE(bench.follow());
    EXPECT_EQ(bench.indexer->status().reorganisations, 0U);
}

TEST(Indexer, HaltsAtATooDeepReorganisationWithoutWriting) {
    for (const bool longer : {true, false}) {
        IndexerBench bench;
        bench.mine(120, 3);
        ASSERT_FALSE(bench.follow());
        const auto before = bench.dump();
        bench.chain.drop(97);
        bench.mine(longer ? 98 : 96, 4);
        for (int restart = 0; restart < 2; ++restart) {
            const auto ended = bench.follow();
            ASSERT_TRUE(ended);
            EXPECT_EQ(ended->code, ErrorCode::failed_precondition);
            EXPECT_FALSE(ended->cure.empty());
            EXPECT_EQ(bench.indexer->status().state, ports::IndexState::halted);
            EXPECT_EQ(bench.dump(), before);
            bench.restart();
        }
    }
}

TEST(Indexer, CountsTheLimitFromTheHighestBlockEvenAfterTheChainGotShorter) {
    IndexerBench bench(10);
    bench.mine(40, 3);
    ASSERT_FALSE(bench.follow());
    bench.chain.drop(6);
    bench.mine(1, 4);
    ASSERT_FALSE(bench.follow());
    const auto before = bench.dump();
    bench.chain.drop(6);  // block 30 is replaced, eleven below the highest
    bench.mine(20, 5);
    EXPECT_TRUE(bench.follow());
    EXPECT_EQ(bench.dump(), before);
}

TEST(Indexer, ReplacesAChainThatIsYoungerThanTheLimit) {
    IndexerBench bench;
    bench.settings.start_block = 5;
    bench.restart();
    bench.mine(4, 1);
    bench.chain.mine({});
    bench.mine(10, 2);
    ASSERT_TRUE(bench.follow()) << "events before the start block are missing";
    IndexerBench clean;
    clean.settings.start_block = 5;
    clean.restart();
    for (int i = 0; i < 4; ++i) clean.chain.mine({});
    clean.mine(10, 2);
    ASSERT_FALSE(clean.follow());
    clean.chain.drop(12);
    clean.chain.mine({}, 7);
    clean.chain.mine({}, 8);
    clean.mine(10, 9);
    ASSERT_FALSE(clean.follow());
    EXPECT_EQ(clean.dump(), clean.fresh_dump());
}

TEST(Indexer, HaltsWhenLogsWereLeftOut) {
    IndexerBench bench;
    bench.mine(60, 3);
    auto& blocks = bench.chain.mutable_blocks();
    const auto with_deposit = std::find_if(blocks.begin(), blocks.end(), [](const Block& each) {
        return !each.logs.empty() && std::holds_alternative<Deposited>(*decode_event(each.logs.front()));
    });
    ASSERT_NE(with_deposit, blocks.end());
    with_deposit->logs.erase(with_deposit->logs.begin());
    const auto ended = bench.follow();
    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->code, ErrorCode::invalid_data);
    EXPECT_NE(ended->message.find("contradicts"), std::string::npos) << ended->message;
}

TEST(Indexer, AppliesEventsInTheOrderOfTheBlock) {
    const auto dump_of = [](std::vector<std::uint32_t> operations) {
        IndexerBench bench;
        bench.chain.mine({0, 12, 24});
        bench.chain.mine(operations);
        EXPECT_FALSE(bench.follow());
        expect_like_model(bench);
        return bench.dump();
    };
    // The same operations, but what is released and reserved depends on which comes first.
    EXPECT_NE(dump_of({2, 5}), dump_of({5, 2}));
}

TEST(Indexer, RefusesAnotherChainGenesisOrContract) {
    IndexerBench bench;
    bench.mine(3, 1);
    ASSERT_FALSE(bench.follow());
    const auto before = bench.dump();
    const auto expect_refused = [&](const char* what) {
        bench.restart();
        const auto ended = bench.follow();
        ASSERT_TRUE(ended) << what;
        EXPECT_EQ(ended->code, ErrorCode::failed_precondition) << what;
        EXPECT_EQ(bench.dump(), before) << what;
    };
    bench.mine(1, 2);
    bench.chain.id = 1;
    expect_refused("chain id");
    bench.chain.id = 31337;
    bench.chain.mutable_blocks().front().header.hash.bytes[5] = 7;
    expect_refused("genesis");
    bench.chain.mutable_blocks().front().header.hash.bytes[5] = 0;
    bench.settings.identity.lanes = testing::account_at(3);
    expect_refused("contract");
    bench.settings.identity.lanes = testing::ScriptedChain::contract();
    bench.settings.start_block = 1;
    expect_refused("start block");
    bench.settings.start_block = 0;
    bench.restart();
    EXPECT_FALSE(bench.follow());
}

TEST(Indexer, NoticesAnotherChainBehindAReorganisation) {
    IndexerBench bench;
    bench.mine(3, 1);
    ASSERT_FALSE(bench.follow());
    bench.chain.drop(1);
    bench.mine(2, 2);
    bench.chain.id = 5;
    const auto ended = bench.follow();
    ASSERT_TRUE(ended);
    EXPECT_NE(ended->message.find("serves chain 5"), std::string::npos) << ended->message;
}

TEST(Indexer, GoesOnAfterFailures) {
    IndexerBench bench;
    bench.mine(20, 1);
    bench.chain.failures = 5;
    ASSERT_FALSE(bench.follow());
    EXPECT_FALSE(bench.indexer->status().problem);
    EXPECT_EQ(bench.dump(), bench.fresh_dump());
}

TEST(Indexer, AsksForSmallerRangesIfToldSo) {
    IndexerBench bench;
    bench.mine(20, 1);
    bench.chain.max_range = 2;
    ASSERT_FALSE(bench.follow());
    expect_like_model(bench);
}

TEST(Indexer, TriesLargerRangesAgain) {
    IndexerBench bench;
    bench.mine(20, 1);
    bench.chain.max_range = 1;
    ASSERT_FALSE(bench.follow());
    bench.chain.max_range = 1000;
    bench.mine(200, 2);
    const auto before = bench.chain.asked;
    ASSERT_FALSE(bench.follow());
    EXPECT_LT(bench.chain.asked - before, 150U) << "one by one it would take 200";
    expect_like_model(bench);
}

TEST(ChainStore, RefusesToUndoMoreThanItCan) {
    auto store = ChainStore::open(":memory:", 4);
    ASSERT_TRUE(store);
    testing::ScriptedChain chain;
    for (int i = 0; i < 10; ++i) chain.mine({});
    ASSERT_TRUE((*store)->replace_from(0, chain.mutable_blocks()));
    EXPECT_FALSE((*store)->replace_from(6, {}));
    EXPECT_FALSE(*(*store)->hash_at(5));
    EXPECT_TRUE(*(*store)->hash_at(6));
    const auto head = (*store)->replace_from(7, {});
    ASSERT_TRUE(head);
    EXPECT_EQ((*head)->number, 6U);
}

Task<> open_only(Indexer& indexer) {
    auto opened = co_await indexer.open();
    EXPECT_TRUE(opened);
}

Task<> read_head(IndexedChain& chain, std::optional<Result<ports::BlockRef>>& head) {
    head = co_await chain.head();
}

Task<> ask_registry(IndexedChain& chain, std::optional<Result<bool>>& known) {
    known = co_await chain.is_registered(NodeKey{});
}

TEST(IndexedChain, IsNotReadBeforeItHasCaughtUp) {
    IndexerBench bench;
    crypto::SystemRng rng;
    JsonRpcClient client(JsonRpcSettings{"http://127.0.0.1:1"}, rng);
    bench.mine(5, 1);
    ASSERT_FALSE(bench.follow());
    bench.restart();
    bench.mine(3, 2);
    IndexedChain chain(*bench.indexer, client);
    sys::testing::run_task(bench.context, open_only(*bench.indexer));
    std::optional<Result<ports::BlockRef>> head;
    sys::testing::run_task(bench.context, read_head(chain, head));
    ASSERT_FALSE(*head) << "blocks of an earlier run are not the present";
    EXPECT_EQ(head->error().code, ErrorCode::unavailable);
    EXPECT_NE(head->error().message.find("at block 5 of"), std::string::npos) << head->error().message;
    std::optional<Result<bool>> known;
    sys::testing::run_task(bench.context, ask_registry(chain, known));
    ASSERT_FALSE(*known) << "who was registered then may have left since";
    EXPECT_EQ(known->error().code, ErrorCode::unavailable);
    ASSERT_FALSE(bench.follow());
    sys::testing::run_task(bench.context, ask_registry(chain, known));
    ASSERT_TRUE(*known);
    EXPECT_FALSE(**known);
    sys::testing::run_task(bench.context, read_head(chain, head));
    ASSERT_TRUE(*head) << head->error().message;
    EXPECT_EQ((*head)->number, 8U);
}

TEST(ChainStore, RefusesBlocksThatDoNotFollow) {
    auto store = ChainStore::open(":memory:", 4);
    ASSERT_TRUE(store);
    testing::ScriptedChain chain;
    for (int i = 0; i < 4; ++i) chain.mine({0});
    auto blocks = chain.mutable_blocks();
    std::swap(blocks[2], blocks[3]);
    EXPECT_FALSE((*store)->replace_from(0, blocks));
    blocks = chain.mutable_blocks();
    blocks[2].header.parent = {};
    EXPECT_FALSE((*store)->replace_from(0, blocks));
    EXPECT_FALSE(*(*store)->head()) << "nothing was written";
    EXPECT_TRUE((*store)->replace_from(0, chain.mutable_blocks()));
}

}  // namespace
}  // namespace myst::chain
