// What a provider publishes. Chain, relays and tunnel are fakes.
#include "myst/node/provider.hpp"

#include <gtest/gtest.h>

#include "myst/codec/proof_of_work.hpp"
#include "myst/node/test_support/fake_world.hpp"

namespace myst::node::test {
namespace {

/// The one record that the bus keeps has the work.
void expect_work(const World& world, unsigned bits) {
    ASSERT_EQ(world.bus.stored.size(), 1U);
    EXPECT_TRUE(codec::verify_event(world.bus.stored[0]));
    EXPECT_EQ(codec::proven_work(world.bus.stored[0]), bits);
}

Task<> start_and_stop(const World& world, Node& node) {
    auto started = co_await node.provider_start();
    EXPECT_TRUE(started) << started.error().message;
    expect_work(world, 8);
    const auto offer = world.bus.stored;
    co_await node.shut_down();
    EXPECT_NE(world.bus.stored, offer) << "nothing was withdrawn";
    expect_work(world, 8);
}

TEST(Offer, CarriesTheWorkThatRelaysAskOfStrangersAndSoDoesItsWithdrawal) {
    World world;
    world.pow_bits = 8;
    TestNode provider(world, "provider", provider_settings());
    EXPECT_TRUE(world.run(start_and_stop(world, *provider.node)));
}

Task<> revoke(Node& node) {
    auto revoked = co_await node.provider_revoke("stolen");
    EXPECT_TRUE(revoked) << (revoked ? "" : revoked.error().message);
}

TEST(Revocation, CarriesTheWorkThatRelaysAskOfStrangers) {
    World world;
    world.pow_bits = 8;
    const TestNode provider(world, "provider", provider_settings());
    EXPECT_TRUE(world.run(revoke(*provider.node)));
    expect_work(world, 8);
    EXPECT_EQ(world.bus.stored[0].pubkey, provider.keys->node().node_key());
}

}  // namespace
}  // namespace myst::node::test
