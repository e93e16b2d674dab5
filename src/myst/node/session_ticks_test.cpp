// Sessions in which the consumer pays by ticks.
#include "myst/node/test_support/session_fixture.hpp"

namespace myst::node::test {
namespace {

TEST_F(SessionTest, EveryByteIsPaidByTicksWhichEndInAVoucher) {
    use_ticks();
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_EQ(status().state, ConnectionState::connected) << status().last_error;
    ASSERT_TRUE(world_.run(download_until_a_tick_is_held()));
    ASSERT_TRUE(world_.run(download(80 * kMiB)));
    ASSERT_TRUE(world_.run(disconnect()));
    const auto last = status();
    EXPECT_EQ(last.last_error, "");
    EXPECT_EQ(last.paid, last.acknowledged);
    EXPECT_GE(last.paid, Amount(8000));
    EXPECT_LE(last.paid, cost_of(provider_settings().provider.tariff, last.traffic.total() + kMiB, milliseconds(0)));
    std::optional<ports::HeldVoucher> proof;
    ASSERT_TRUE(world_.run(read_voucher(proof)));
    ASSERT_TRUE(proof);
    EXPECT_FALSE(proof->ticks) << "a plain voucher is cheaper to settle";
    EXPECT_EQ(proof->total(), last.paid);
}

TEST_F(SessionTest, AProviderThatComesBackKeepsTheTicksItAcknowledged) {
    use_ticks();
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(download_until_a_tick_is_held()));
    expect_to_survive_a_crash();
}

TEST_F(SessionTest, AConsumerThatLostItsLedgerGoesOnFromTheTickTheProviderShows) {
    use_ticks();
    const auto keep_as_it_is = [this](const char* name, const char* copy) {
        std::filesystem::copy(world_.folder / name, world_.folder / copy, std::filesystem::copy_options::recursive);
    };
    keep_as_it_is("consumer", "consumer before");
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(download_until_a_tick_is_held()));
    keep_as_it_is("provider", "provider meanwhile");
    ASSERT_TRUE(world_.run(shut_down()));
    consumer_.reset();
    provider_.reset();
    consumer_ = std::make_unique<TestNode>(world_, "consumer before", consumer_settings());
    provider_ = std::make_unique<TestNode>(world_, "provider meanwhile", provider_settings());
    ASSERT_TRUE(world_.run(start_provider()));
    const auto shown = held();
    ASSERT_GT(shown, Amount(100));
    ASSERT_TRUE(world_.run(connect_only({})));
    ASSERT_EQ(status().state, ConnectionState::connected) << status().last_error;
    EXPECT_EQ(held(), shown.plus_saturating(Amount(100)));
}

}  // namespace
}  // namespace myst::node::test
