// What a provider publishes. Chain, relays and tunnel are fakes.
#include "myst/node/provider.hpp"

#include <gtest/gtest.h>

#include "myst/codec/proof_of_work.hpp"
#include "myst/node/test_support/fake_world.hpp"

namespace myst::node::test {
namespace {

Task<> start_and_stop(Node& node) {
    auto started = co_await node.provider_start();
    EXPECT_TRUE(started) << started.error().message;
    co_await node.shut_down();
}

TEST(Offer, CarriesTheWorkThatRelaysAskOfStrangers) {
    World world;
    world.pow_bits = 8;
    TestNode provider(world, "provider", provider_settings());
    EXPECT_TRUE(world.run(start_and_stop(*provider.node)));
    ASSERT_EQ(world.bus.stored.size(), 2U) << "the offer and its withdrawal";
    for (const auto& event : world.bus.stored) {
        EXPECT_TRUE(codec::verify_event(event));
        EXPECT_EQ(codec::proven_work(event), 8U);
    }
}

}  // namespace
}  // namespace myst::node::test
