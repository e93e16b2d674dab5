// Entering and leaving the registry of providers. The chain is a fake.
#include "myst/node/registration.hpp"

#include "myst/chain/lanes_contract.hpp"
#include "myst/node/test_support/wallet_fixture.hpp"

namespace myst::node::test {
namespace {

class RegistrationTest : public WalletTest {
protected:
    ports::ProviderState& entry_ = world_.chain.providers[wallet_];
};

TEST_F(RegistrationTest, ARegistrationCountsTheStakeThatIsThereWhenItIsSent) {
    auto settings = provider_settings();
    settings.provider.stake = Amount(10);
    TestNode other(world_, "wallet2", std::move(settings));
    auto& own = world_.chain.providers[other.keys->wallet()->address()];
    own = {};
    world_.on_mined = [&own](const ports::TxIntent& intent) {
        if (intent.key.starts_with("approve")) own.stake = Amount(4);
    };
    const auto started = run(other.node->provider_start());
    EXPECT_TRUE(started) << started.error().describe();
    ASSERT_EQ(kinds_sent(), (std::vector<std::string>{"approve", "register"}));
    EXPECT_EQ(world_.sent[1].data, chain::call::register_provider(other.keys->node().node_key(), Amount(6)));
    EXPECT_TRUE(world_.run(other.node->shut_down()));
}

TEST_F(RegistrationTest, LeavingIsAnnouncedAndDoneAfterTheWindow) {
    entry_.stake = Amount(100);
    const auto announced = run(node_.node->provider_unregister());
    ASSERT_TRUE(announced) << announced.error().describe();
    EXPECT_FALSE(announced->left);
    EXPECT_EQ(announced->stake, Amount(100));
    EXPECT_EQ(announced->available_at, UnixTime(seconds(60))) << "the block's time and the window";
    EXPECT_EQ(world_.sent.back().data, chain::call::request_unregister());

    entry_.leave_at = world_.clock.unix_now() + seconds(60);
    const auto early = run(node_.node->provider_unregister());
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().code, ErrorCode::failed_precondition);
    EXPECT_EQ(early.error().cure, "repeat the command after " + utc_text(entry_.leave_at));
    EXPECT_EQ(world_.sent.size(), 1U);

    entry_.leave_at = world_.clock.unix_now() - seconds(1);
    const auto left = run(node_.node->provider_unregister());
    ASSERT_TRUE(left) << left.error().describe();
    EXPECT_TRUE(left->left);
    EXPECT_EQ(left->stake, Amount(100));
    EXPECT_EQ(kinds_sent(), (std::vector<std::string>{"request-unregister", "unregister"}));
    EXPECT_EQ(world_.sent.back().data, chain::call::unregister());
}

TEST_F(RegistrationTest, WhoIsNotRegisteredCannotLeave) {
    entry_ = {};
    const auto left = run(node_.node->provider_unregister());
    ASSERT_FALSE(left);
    EXPECT_EQ(left.error().code, ErrorCode::failed_precondition);
    EXPECT_TRUE(world_.sent.empty());
}

TEST_F(RegistrationTest, WhoSellsOrIsLeavingDoesNotMixTheTwo) {
    ASSERT_TRUE(run(node_.node->provider_start()));
    const auto while_selling = run(node_.node->provider_unregister());
    ASSERT_FALSE(while_selling);
    EXPECT_EQ(while_selling.error().cure, "run first: myst provider stop");
    ASSERT_TRUE(run(node_.node->provider_stop()));

    entry_.leave_at = world_.clock.unix_now() + seconds(60);
    const auto while_leaving = run(node_.node->provider_start());
    ASSERT_FALSE(while_leaving);
    EXPECT_NE(while_leaving.error().cure.find(utc_text(entry_.leave_at)), std::string::npos)
        << while_leaving.error().describe();
    EXPECT_TRUE(world_.sent.empty()) << "a registration now would revert";
}

}  // namespace
}  // namespace myst::node::test
