// What a consumer may still promise, given what its vouchers let others draw.
#include "myst/node/lane_funds.hpp"

#include <gtest/gtest.h>

#include "myst/node/test_support/fake_world.hpp"

namespace myst::node::test {
namespace {

constexpr Address kPayee{{1}};
constexpr Address kOther{{2}};

Task<> promise(ports::LedgerStore& ledger, Address signer, Address payee, std::uint64_t total, std::uint64_t cap) {
    const codec::SignedVoucher voucher{{payee, 0, Amount(total), Amount(cap)}, {}};
    const ports::HeldVoucher issued{signer, voucher, SessionId{{3}}};
    auto recorded = co_await ledger.record_issued(issued);
    EXPECT_TRUE(recorded);
}

Task<> read_spendable(Context& context, Amount& spendable) {
    auto funds = co_await read_lane_funds(context, kPayee, 0);
    EXPECT_TRUE(funds);
    if (funds) spendable = funds->spendable;
}

TEST(LaneFunds, WhatAnotherProviderMaySetAsideIsNotSpendable) {
    World world;
    TestNode node(world, "consumer", consumer_settings());
    Context context{world.context.get_executor(),
                    world.clock,
                    world.rng,
                    world.workers,
                    *node.keys,
                    world.chain,
                    world.bus,
                    *node.ledger,
                    node.driver,
                    {}};
    const auto signer = node.keys->signer()->address();
    world.chain.accounts[signer].free = Amount(1000);
    ASSERT_TRUE(world.run(promise(*node.ledger, signer, kPayee, 50, 300)));
    ASSERT_TRUE(world.run(promise(*node.ledger, signer, kOther, 100, 600)));
    Amount spendable;
    ASSERT_TRUE(world.run(read_spendable(context, spendable)));
    EXPECT_EQ(spendable, Amount(350)) << "the deposit less 600 for the other and 50 that this one has";
    world.chain.lanes[{signer, kOther}].cap = Amount(400);
    world.chain.accounts[signer].free = Amount(600);
    ASSERT_TRUE(world.run(read_spendable(context, spendable)));
    EXPECT_EQ(spendable, Amount(350)) << "400 of it have moved";
}

}  // namespace
}  // namespace myst::node::test
