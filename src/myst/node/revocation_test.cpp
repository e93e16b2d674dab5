#include "myst/node/revocation.hpp"

#include <gtest/gtest.h>

#include "myst/codec/record_kinds.hpp"
#include "myst/node/test_support/session_fixture.hpp"

namespace myst::node::test {
namespace {

class RevocationTest : public SessionTest {
protected:
    Task<> revoke() {
        auto revoked = co_await provider_->node->provider_revoke("stolen");
        EXPECT_TRUE(revoked) << (revoked ? "" : revoked.error().describe());
        if (!revoked) co_return;
        EXPECT_EQ(revoked->key, provider_->keys->node().node_key());
    }
    /// As whoever has stolen the key would do.
    void publish_stolen_offer() {
        Proposal offer;
        offer.payee = provider_->keys->wallet()->address();
        offer.service = "wireguard";
        offer.country = "DE";
        offer.tariff = {Amount(1), Amount{}};
        offer.published = world_.clock.unix_now() + seconds(30);
        offer.expires = offer.published + seconds(3600);
        world_.bus.stored.push_back(make_proposal(offer, world_.chain.identity(), provider_->keys->node(), world_.rng));
    }
};

TEST_F(RevocationTest, NoOfferOfARevokedKeyIsShownOrBought) {
    std::vector<Proposal> before;
    std::vector<Proposal> after;
    publish_stolen_offer();
    ASSERT_TRUE(world_.run(list_offers(before)));
    EXPECT_EQ(before.size(), 1U);
    ASSERT_TRUE(world_.run(revoke()));
    publish_stolen_offer();
    ASSERT_TRUE(world_.run(list_offers(after)));
    EXPECT_TRUE(after.empty());
    ASSERT_TRUE(world_.run(connect_only({})));
    EXPECT_EQ(status().state, ConnectionState::disconnected);
    EXPECT_NE(status().last_error.find("revoked its key"), std::string::npos) << status().last_error;
}

Task<> try_to_start(Node& node, Result<ProviderStatus>& outcome) {
    outcome = co_await node.provider_start();
}

TEST_F(RevocationTest, AProviderDoesNotStartWithARevokedKey) {
    ASSERT_TRUE(world_.run(start_provider()));
    ASSERT_TRUE(world_.run(revoke()));
    Result<ProviderStatus> started;
    ASSERT_TRUE(world_.run(try_to_start(*provider_->node, started)));
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, ErrorCode::failed_precondition);
    EXPECT_NE(started.error().message.find("revoked"), std::string::npos);
}

Task<> ask_about(Revocations& revocations, std::vector<NodeKey> keys, std::vector<bool>& answers) {
    for (const auto& key : keys) {
        auto revoked = co_await revocations.has(key);
        EXPECT_TRUE(revoked);
        answers.push_back(revoked && *revoked);
    }
}

/// Counts questions.
class CountingBus final : public ports::RecordNetwork {
public:
    explicit CountingBus(FakeBus& bus) : bus_(bus) {}
    std::size_t questions = 0;
    std::size_t most_keys = 0;
    Task<Result<ports::PublishReport>> publish(codec::Event event) override { return bus_.publish(std::move(event)); }
    Task<Result<std::vector<codec::Event>>> query(std::vector<codec::Filter> filters, std::size_t limit) override {
        ++questions;
        most_keys = std::max(most_keys, filters.front().authors.size());
        return bus_.query(std::move(filters), limit);
    }
    std::unique_ptr<ports::Subscription> subscribe(std::vector<codec::Filter> filters, Callback callback) override {
        return bus_.subscribe(std::move(filters), std::move(callback));
    }
    Task<Result<>> exchange(ports::EnvelopeExchange exchange) override { return bus_.exchange(std::move(exchange)); }
    std::vector<ports::RelayStatus> relays() const override { return {}; }

private:
    FakeBus& bus_;
};

TEST(Revocations, OneQuestionServesManyKeys) {
    World world;
    CountingBus bus(world.bus);
    std::vector<NodeKey> keys;
    for (int i = 0; i < 130; ++i) {
        const auto key = crypto::PrivateKey::generate(world.rng);
        keys.push_back(key.node_key());
        if (i % 10 == 3) world.bus.stored.push_back(make_revocation(key, "", world.clock.unix_now(), world.rng));
    }
    Revocations revocations(bus);
    revocations.expect(keys);
    std::vector<bool> answers;
    ASSERT_TRUE(world.run(ask_about(revocations, keys, answers)));
    ASSERT_EQ(answers.size(), keys.size());
    for (std::size_t i = 0; i < answers.size(); ++i) EXPECT_EQ(answers[i], i % 10 == 3) << i;
    EXPECT_EQ(bus.questions, 3U);
    EXPECT_LE(bus.most_keys, 64U);
}

}  // namespace
}  // namespace myst::node::test
