#include <gtest/gtest.h>

#include "myst/chain/test_support/indexer_fixture.hpp"

namespace myst::chain {
namespace {

using testing::account_at;
using testing::IndexerBench;
using testing::LanesModel;

/// What the contract's own history says of a payee.
ports::PayeeState expected_of(const LanesModel& model, const Address& provider) {
    ports::PayeeState state;
    if (const auto entry = model.providers.find(provider); entry != model.providers.end()) state.entry = entry->second;
    state.sales.emplace();
    for (const auto& [lane, brought] : model.sales) {
        if (lane.second != provider) continue;
        Amount volume;
        for (const auto each : brought) volume = *volume.plus(each);
        state.sales->settlements += brought.size();
        state.sales->payers += 1;
        state.sales->volume = *state.sales->volume.plus(volume);
        state.sales->weight = *state.sales->weight.plus(std::min(volume, ports::kMostWeight));
    }
    return state;
}

Task<> compare_payees(Indexer& indexer, LanesModel model) {
    const std::vector<Address> wanted{account_at(10), account_at(11), account_at(12), account_at(99)};
    auto read = [&wanted](ChainStore& store) { return store.payees(wanted); };
    std::vector<ports::SalesKey> pairs{{account_at(99), account_at(0)}};
    for (const auto& [lane, brought] : model.sales) pairs.push_back({lane.second, lane.first});
    auto read_pairs = [&pairs](ChainStore& store) { return store.volumes(pairs); };
    auto volumes = co_await indexer.query(std::move(read_pairs));
    EXPECT_TRUE(volumes);
    for (const auto& [pair, volume] : volumes.value_or(ports::SalesVolumes{})) {
        Amount expected;
        const auto brought = model.sales.find({pair.payer, pair.payee});
        for (const auto each : brought == model.sales.end() ? std::vector<Amount>{} : brought->second)
            expected = *expected.plus(each);
        EXPECT_EQ(volume, expected);
    }
    EXPECT_EQ(volumes->size(), pairs.size());
    auto found = co_await indexer.query(std::move(read));
    EXPECT_TRUE(found) << (found ? "" : found.error().message);
    if (!found) co_return;
    EXPECT_EQ(found->size(), wanted.size());
    for (const auto& each : wanted) {
        const auto expected = expected_of(model, each);
        EXPECT_EQ(found->at(each).entry, expected.entry);
        EXPECT_EQ(found->at(each).sales, expected.sales);
    }
}

void expect_like_model(IndexerBench& bench) {
    sys::testing::run_task(bench.context, compare_payees(*bench.indexer, bench.chain.model()));
}

TEST(PayeeSales, AreWhatTheSettlementsBroughtOverAllEpochs) {
    IndexerBench bench;
    bench.mine(200, 1);
    ASSERT_FALSE(bench.follow());
    const auto& model = bench.chain.model();
    ASSERT_GT(expected_of(model, account_at(10)).sales->payers, 1U);
    const bool released = std::any_of(model.lanes.begin(), model.lanes.end(), [&](const auto& lane) {
        return lane.second.epoch > 0 && model.sales.contains(lane.first);
    });
    ASSERT_TRUE(released) << "no lane with sales was ever released";
    expect_like_model(bench);
}

TEST(PayeeSales, AReorganisationTakesThemBack) {
    for (const std::size_t depth : {1U, 17U, 60U}) {
        IndexerBench bench;
        bench.mine(120, 3);
        ASSERT_FALSE(bench.follow());
        const auto before = expected_of(bench.chain.model(), account_at(10));
        bench.chain.drop(depth);
        bench.mine(depth + 1, 4);
        ASSERT_FALSE(bench.follow());
        if (depth > 1) {
            EXPECT_NE(expected_of(bench.chain.model(), account_at(10)), before);
        }
        expect_like_model(bench);
        EXPECT_EQ(bench.dump(), bench.fresh_dump());
    }
}

struct Tables {
    Tables() : database(sys::Database::open(":memory:", sys::Durability::normal).value()) {
        EXPECT_TRUE(database.migrate(chain_schema()));
        tables = std::make_unique<ChainTables>(database);
        tables->begin_block(1);
    }
    sys::Database database;
    std::unique_ptr<ChainTables> tables;
};

TEST(PayeeSales, OnePayerWeighsOneTokenAtMost) {
    Tables chain;
    const auto provider = account_at(10);
    const auto half = Amount(ports::kMostWeight.units() / 2);
    ASSERT_TRUE(chain.tables->add_sale(provider, account_at(1), half));
    EXPECT_EQ(chain.tables->payee_sales(provider)->weight, half);
    ASSERT_TRUE(chain.tables->add_sale(provider, account_at(1), ports::kMostWeight));
    EXPECT_EQ(chain.tables->payee_sales(provider)->weight, ports::kMostWeight);
    ASSERT_TRUE(chain.tables->add_sale(provider, account_at(1), ports::kMostWeight));
    ASSERT_TRUE(chain.tables->add_sale(provider, account_at(2), half));
    const auto sales = chain.tables->payee_sales(provider);
    ASSERT_TRUE(sales);
    EXPECT_EQ(sales->weight, *ports::kMostWeight.plus(half));
    EXPECT_EQ(sales->volume, Amount(3 * static_cast<std::uint64_t>(ports::kMostWeight.units())));
    EXPECT_EQ(sales->settlements, 4U);
    EXPECT_EQ(sales->payers, 2U);
    ASSERT_TRUE(chain.tables->undo_from(1));
    EXPECT_EQ(*chain.tables->payee_sales(provider), ports::PayeeSales{});
}

TEST(PayeeSales, TheDumpTellsThem) {
    Tables with;
    Tables without;
    ASSERT_TRUE(with.tables->add_sale(account_at(10), account_at(1), Amount(5)));
    EXPECT_NE(*with.tables->dump_hash(), *without.tables->dump_hash());
    ASSERT_TRUE(with.tables->undo_from(1));
    EXPECT_EQ(*with.tables->dump_hash(), *without.tables->dump_hash());
}

}  // namespace
}  // namespace myst::chain
