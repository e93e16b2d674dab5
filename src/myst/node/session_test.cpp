// Sessions of a consumer and a provider, from the offer to the settlement.
#include "myst/chain/lanes_contract.hpp"
#include "myst/node/envelope.hpp"
#include "myst/node/test_support/session_fixture.hpp"

namespace myst::node::test {
namespace {

TEST_F(SessionTest, EveryByteIsPaidAndNothingIsLeftBehind) {
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_EQ(status().state, ConnectionState::connected) << status().last_error;
    ASSERT_TRUE(world_.run(download(20 * kMiB)));
    ASSERT_TRUE(world_.run(disconnect()));
    const auto last = status();
    EXPECT_EQ(last.state, ConnectionState::disconnected);
    EXPECT_EQ(last.last_error, "");
    EXPECT_EQ(last.paid, last.acknowledged);
    EXPECT_GE(last.paid, Amount(2000));
    EXPECT_LE(last.paid, Amount(2100)) << "more than one chunk ahead";
    EXPECT_EQ(held(), last.paid);
    EXPECT_EQ(world_.wire.client_tunnels, 0);
    EXPECT_FALSE(world_.wire.peer) << "the provider still lets the consumer in";
}

TEST_F(SessionTest, TheRequestIsSentWhereTheOfferSaysThatTheProviderListens) {
    auto settings = provider_settings();
    settings.provider.relays = {"wss://relay.example.org", "ws://11.0.0.3:7777"};
    provider_.reset();
    provider_ = std::make_unique<TestNode>(world_, "provider", settings);
    ASSERT_TRUE(world_.run(connect()));
    EXPECT_EQ(status().state, ConnectionState::connected) << status().last_error;
    EXPECT_EQ(world_.bus.named, settings.provider.relays);
}

TEST_F(SessionTest, ChunksGrowWithTheRate) {
    auto settings = consumer_settings().consumer;
    settings.chunk = {};
    set_up_consumer(settings);
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_EQ(status().state, ConnectionState::connected) << status().last_error;
    EXPECT_EQ(held(), Amount(7)) << "64 KiB, rounded up, while nothing is known";
    ASSERT_TRUE(world_.run(download(40 * kMiB)));
    ASSERT_TRUE(world_.run(disconnect()));
    EXPECT_EQ(status().last_error, "");
    EXPECT_GE(held(), Amount(4000));
    EXPECT_LT(status().vouchers, 160U) << "chunks of 64 KiB would take 640";
}

TEST_F(SessionTest, TheGateStopsWhatIsNotPaidBeyondTheCredit) {
    ASSERT_TRUE(world_.run(connect()));
    // Nobody runs the consumer now, so nobody pays: the gate alone decides.
    const auto passed = world_.wire.carry(100 * kMiB);
    const auto paid_bytes = pay::bytes_covered(provider_settings().provider.tariff, held(), milliseconds(0));
    EXPECT_EQ(passed, paid_bytes + kMiB);
    EXPECT_EQ(world_.wire.carry(1), 0U);
}

TEST_F(SessionTest, AProviderThatComesBackIsPaidOnAndLosesNothing) {
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(download(5 * kMiB)));
    expect_to_survive_a_crash();
}

TEST_F(SessionTest, AnUnfundedPayerIsRefusedWithACure) {
    world_.chain.accounts[consumer_->keys->signer()->address()].free = Amount(99);
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(wait_for(ConnectionState::disconnected)));
    EXPECT_NE(status().last_error.find("deposit"), std::string::npos) << status().last_error;
    EXPECT_EQ(world_.wire.client_tunnels, 0);
}

TEST_F(SessionTest, ASpentDepositEndsTheSessionWithACure) {
    world_.chain.accounts[consumer_->keys->signer()->address()].free = Amount(300);
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(drain_until_blocked()));
    EXPECT_NE(status().last_error.find("used up"), std::string::npos) << status().last_error;
    EXPECT_EQ(world_.wire.client_tunnels, 1) << "traffic would leave in clear";
    EXPECT_EQ(held(), Amount(300)) << "the whole deposit was paid, and no more";
}

TEST_F(SessionTest, ABlockedConnectionEndsByDisconnectOrAnother) {
    world_.chain.accounts[consumer_->keys->signer()->address()].free = Amount(300);
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(drain_until_blocked()));
    EXPECT_NE(status().step.find("myst disconnect"), std::string::npos) << status().step;
    world_.chain.accounts[consumer_->keys->signer()->address()].free = Amount(3000);
    ASSERT_TRUE(world_.run(connect_only({})));
    EXPECT_EQ(status().state, ConnectionState::connected) << status().last_error;
    EXPECT_EQ(world_.wire.client_tunnels, 1) << "another tunnel, or none in between";
    EXPECT_EQ(status().traffic.total(), 0U) << "that of the connection before";
    ASSERT_TRUE(world_.run(drain_until_blocked()));
    ASSERT_TRUE(world_.run(disconnect()));
    EXPECT_EQ(status().state, ConnectionState::disconnected);
    EXPECT_EQ(world_.wire.client_tunnels, 0);
}

TEST_F(SessionTest, TheRateIsKnownToWhoeverAsksFirst) {
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(download(40 * kMiB)));
    EXPECT_GT(status().bytes_per_second, 0U);
}

TEST_F(SessionTest, AProviderThatRaisesItsPriceIsLeft) {
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(download(2 * kMiB)));
    const auto paid = status().paid;  // a payment may be on its way
    auto dearer = provider_settings();
    dearer.provider.tariff.per_hour = Amount(1);
    ASSERT_TRUE(world_.run(crash_and_restart_provider(std::move(dearer))));
    ASSERT_TRUE(world_.run(wait_for(ConnectionState::blocked)));
    EXPECT_NE(status().last_error.find("raised its price"), std::string::npos) << status().last_error;
    EXPECT_LE(held(), paid.plus_saturating(Amount(100)));
}

TEST_F(SessionTest, AProviderThatKeepsVanishingIsLeftAtTheRiskLimit) {
    auto settings = consumer_settings().consumer;
    settings.risk_limit = Amount(425);
    set_up_consumer(settings);
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(vanish_until_blocked()));
    EXPECT_NE(status().last_error.find("never arrived"), std::string::npos) << status().last_error;
    EXPECT_GT(held(), Amount(200)) << "a few interruptions are borne";
    EXPECT_LE(held(), Amount(425));
}

TEST_F(SessionTest, AnOfferAboveTheRiskLimitIsNotPaidAtAll) {
    auto settings = consumer_settings().consumer;
    settings.risk_limit = Amount(199);  // a chunk costs 100, the tolerance as much
    set_up_consumer(settings);
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(wait_for(ConnectionState::disconnected)));
    EXPECT_NE(status().last_error.find("risk limit"), std::string::npos) << status().last_error;
    EXPECT_EQ(held(), Amount(0));
}

TEST_F(SessionTest, TheConfiguredPriceLimitsHoldWhateverACommandAsksFor) {
    auto settings = consumer_settings().consumer;
    settings.max_per_hour = Amount(5);
    set_up_consumer(settings);
    auto hourly = provider_settings();
    hourly.provider.tariff.per_hour = Amount(6);
    provider_.reset();
    provider_ = std::make_unique<TestNode>(world_, "provider", std::move(hourly));
    ProposalFilter filter;
    filter.max_per_hour = Amount::max();
    ASSERT_TRUE(world_.run(connect(filter)));
    ASSERT_TRUE(world_.run(wait_for(ConnectionState::disconnected)));
    EXPECT_NE(status().last_error.find("no provider on offer"), std::string::npos) << status().last_error;
}

TEST(Offers, RankByThePriceOfOneGibibyteWithinOneHour) {
    Proposal hourly;  // its data is free
    hourly.tariff = {Amount{}, Amount::max()};
    Proposal both;
    both.tariff = {Amount(60), Amount(50)};
    Proposal data;
    data.tariff = {Amount(100), Amount{}};
    std::vector<Proposal> offers{hourly, both, data};
    sort_by_price(offers);
    EXPECT_EQ(offers[0].tariff, data.tariff);
    EXPECT_EQ(offers[1].tariff, both.tariff);
    EXPECT_EQ(offers[2].tariff, hourly.tariff);
}

TEST_F(SessionTest, OffersOfUnregisteredKeysArePassedOver) {
    publish_unregistered(5);
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_EQ(status().state, ConnectionState::connected) << status().last_error;
    EXPECT_EQ(status().proposal->provider, provider_->keys->node().node_key());
}

TEST_F(SessionTest, OffersOfStrangersDoNotHideAProvider) {
    publish_unregistered(600, seconds(15 * 60));
    publish_unregistered(600);
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_EQ(status().state, ConnectionState::connected) << status().last_error;
    EXPECT_EQ(status().proposal->provider, provider_->keys->node().node_key());
    std::vector<Proposal> found;
    ASSERT_TRUE(world_.run(list_offers(found)));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found.front().provider, provider_->keys->node().node_key());
}

TEST_F(SessionTest, AnEndpointThatLiesAboutWhatWasDrawnGetsNoVoucher) {
    auto& lane = world_.chain.lanes[{consumer_->keys->signer()->address(), provider_->keys->wallet()->address()}];
    lane.paid = lane.cap = Amount(900'000);
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(wait_for(ConnectionState::disconnected)));
    EXPECT_NE(status().last_error.find("neither side has a voucher"), std::string::npos) << status().last_error;
    EXPECT_EQ(held(), Amount(0));
}

TEST_F(SessionTest, AConsumerThatLostItsLedgerGoesOnFromTheVoucherTheProviderShows) {
    std::filesystem::copy(world_.folder / "consumer", world_.folder / "backup",
                          std::filesystem::copy_options::recursive);
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(download(5 * kMiB)));
    ASSERT_TRUE(world_.run(disconnect()));
    const auto drawn = held();
    auto& lane = world_.chain.lanes[{consumer_->keys->signer()->address(), provider_->keys->wallet()->address()}];
    lane.paid = lane.cap = drawn;
    consumer_.reset();
    consumer_ = std::make_unique<TestNode>(world_, "backup", consumer_settings());
    ASSERT_TRUE(world_.run(connect_only({})));
    ASSERT_EQ(status().state, ConnectionState::connected) << status().last_error;
    EXPECT_EQ(held(), drawn.plus_saturating(Amount(100)));
}

TEST_F(SessionTest, AReservationIsAskedForAsLongAsTheSessionLasts) {
    ConsumerSettings generous;
    generous.reserve_ahead = Amount(5000);
    set_up_consumer(generous);
    ASSERT_TRUE(world_.run(connect()));
    std::optional<ports::HeldVoucher> during;
    ASSERT_TRUE(world_.run(read_voucher(during)));
    ASSERT_TRUE(during);
    EXPECT_EQ(during->voucher.voucher.cap, during->voucher.voucher.total.plus_saturating(Amount(5000)));
    ASSERT_TRUE(world_.run(disconnect()));
}

TEST_F(SessionTest, TheChainIsReadBeforeTheTunnelCutsItOff) {
    world_.chain.out_of_reach = [this] {
        return world_.wire.client_tunnels > 0 && world_.wire.peer && world_.wire.allowance == 0;
    };
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_EQ(status().state, ConnectionState::connected) << status().last_error;
    ASSERT_TRUE(world_.run(download(2 * kMiB)));
    ASSERT_TRUE(world_.run(crash_and_restart_provider()));
    ASSERT_TRUE(world_.run(wait_for(ConnectionState::connected)));
}

TEST_F(SessionTest, ASessionThatDoesNotEndInTimeLeavesNothingBehind) {
    auto settings = consumer_settings().consumer;
    settings.disconnect_limit = milliseconds(50);
    set_up_consumer(settings);
    ASSERT_TRUE(world_.run(give_up_while_the_provider_hangs()));
    EXPECT_EQ(status().state, ConnectionState::disconnected);
    EXPECT_EQ(world_.wire.client_tunnels, 0);
    ASSERT_TRUE(world_.run(expect_one_saved_session()));
    ASSERT_TRUE(world_.run(connect_only({})));
    EXPECT_EQ(status().state, ConnectionState::connected) << status().last_error;
}

TEST_F(SessionTest, ATunnelThatDoesNotCloseIsReported) {
    auto settings = consumer_settings().consumer;
    settings.disconnect_limit = milliseconds(50);
    set_up_consumer(settings);
    ASSERT_TRUE(world_.run(connect()));
    world_.wire.close_hangs = true;
    ASSERT_TRUE(world_.run(disconnect()));
    EXPECT_EQ(status().state, ConnectionState::disconnected);
    EXPECT_NE(status().last_error.find("did not close in time"), std::string::npos) << status().last_error;
}

TEST_F(SessionTest, NoOfferIsAClearError) {
    ASSERT_TRUE(world_.run(connect_without_provider()));
    EXPECT_NE(status().last_error.find("no provider on offer"), std::string::npos) << status().last_error;
}

TEST_F(SessionTest, AReplayedRequestIsRefused) {
    std::vector<codec::Event> requests;
    const auto spy = world_.bus.subscribe({codec::Filter{}}, [&](const codec::Event& event) {
        if (event.kind != kEnvelopeKind) return;
        (event.tag("p") == provider_->keys->node().node_key().hex() ? requests : answers_).push_back(event);
    });
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_EQ(requests.size(), 1U);
    const auto peer = world_.wire.peer;
    const auto allowance = world_.wire.allowance;
    ASSERT_TRUE(world_.run(replay(requests.front())));
    EXPECT_EQ(world_.wire.peer, peer);
    EXPECT_EQ(world_.wire.allowance, allowance) << "the replay touched the running session";
    EXPECT_EQ(answers_.size(), 2U) << "an acceptance, and a refusal of the replay";
    ASSERT_TRUE(world_.run(expect_one_open_session()));
    const auto paid = held();
    ASSERT_TRUE(world_.run(download(3 * kMiB)));
    EXPECT_GE(held(), paid.plus_saturating(Amount(100))) << "the session is not paid any more";
}

TEST_F(SessionTest, SettlingSendsTheHeldVouchers) {
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(download(2 * kMiB)));
    ASSERT_TRUE(world_.run(disconnect()));
    const auto before = world_.sent.size();
    ASSERT_TRUE(world_.run(settle()));
    ASSERT_EQ(world_.sent.size(), before + 1);
    EXPECT_EQ(world_.sent.back().to, world_.chain.identity().lanes);
    std::optional<ports::HeldVoucher> voucher;
    ASSERT_TRUE(world_.run(read_voucher(voucher)));
    ASSERT_TRUE(voucher);
    EXPECT_EQ(world_.sent.back().data, chain::call::settle(provider_->keys->wallet()->address(), {voucher->voucher}));
}

}  // namespace
}  // namespace myst::node::test
