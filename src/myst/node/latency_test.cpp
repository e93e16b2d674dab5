// Measured latency: the question and its answer, the book, and the order of offers.
#include "myst/node/latency_book.hpp"
#include "myst/node/provider_question.hpp"
#include "myst/node/test_support/session_fixture.hpp"

namespace myst::node {
namespace {

using test::SessionTest;

TEST(LatencyBook, ForgetsAfterAWhile) {
    ManualClock clock;
    LatencyBook book(clock);
    const NodeKey near{{1}};
    const NodeKey silent{{2}};
    EXPECT_FALSE(book.knows(near));
    book.note(near, milliseconds(80));
    book.note(silent, std::nullopt);
    EXPECT_EQ(book.of(near), milliseconds(80));
    EXPECT_TRUE(book.knows(silent));
    EXPECT_FALSE(book.of(silent));
    clock.advance(seconds(61));
    EXPECT_FALSE(book.knows(silent)) << "it may be back";
    EXPECT_TRUE(book.knows(near));
    clock.advance(seconds(240));
    EXPECT_FALSE(book.knows(near));
    EXPECT_FALSE(book.of(near));
}

TEST(LatencyBook, IsBounded) {
    ManualClock clock;
    LatencyBook book(clock);
    const auto key = [](std::size_t i) {
        return NodeKey{{static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}};
    };
    for (std::size_t i = 0; i <= LatencyBook::kMost; ++i) {
        book.note(key(i), milliseconds(1));
        clock.advance(milliseconds(1));
    }
    EXPECT_FALSE(book.knows(key(0))) << "the oldest makes room";
    EXPECT_TRUE(book.knows(key(1)));
    EXPECT_TRUE(book.knows(key(LatencyBook::kMost)));
}

TEST(LatencyEnvelope, PingAndPongAreReadAsTheyWereWritten) {
    const SessionId id{{7}};
    const auto ping = parse_envelope(to_json(Ping{id}));
    const auto pong = parse_envelope(to_json(Pong{id}));
    ASSERT_TRUE(ping && pong);
    EXPECT_EQ(std::get<Ping>(*ping), Ping{id});
    EXPECT_EQ(std::get<Pong>(*pong), Pong{id});
    for (const auto* bad : {R"({"v":1,"type":"ping"})", R"({"v":1,"type":"pong","id":"07"})",
                            R"({"v":2,"type":"ping","id":"07000000000000000000000000000000"})"}) {
        EXPECT_FALSE(parse_envelope(bad)) << bad;
    }
}

class LatencyTest : public SessionTest {
protected:
    LatencyTest() {
        codec::Filter envelopes;
        envelopes.kinds = {kEnvelopeKind};
        seen_ = world_.bus.subscribe({envelopes}, [this](const codec::Event& event) { envelopes_.push_back(event); });
    }

    /// A registered provider that nobody runs.
    NodeKey publish_silent() {
        const auto key = crypto::PrivateKey::generate(world_.rng);
        Proposal proposal;
        proposal.payee = key.address();
        proposal.service = "wireguard";
        proposal.country = "DE";
        proposal.tariff = {Amount(1), Amount{}};
        proposal.published = world_.clock.unix_now();
        proposal.expires = proposal.published + seconds(3600);
        world_.bus.stored.push_back(make_proposal(proposal, world_.chain.identity(), key, world_.rng));
        world_.chain.providers[proposal.payee].node_key = key.node_key();
        return key.node_key();
    }
    std::vector<Offer> list(ProposalQuery query) {
        Result<OfferPage> page;
        EXPECT_TRUE(world_.run(ask(std::move(query), page)));
        EXPECT_TRUE(page) << (page ? "" : page.error().describe());
        return page ? page->offers : std::vector<Offer>();
    }
    Task<> ask(ProposalQuery query, Result<OfferPage>& page) {
        page = co_await consumer_->node->proposals(std::move(query));
    }
    Task<> measure(LatencyRound& round) {
        auto measured = co_await consumer_->node->measure_latency({});
        EXPECT_TRUE(measured);
        if (measured) round = *measured;
    }
    /// A ping to `to` of somebody who was never seen.
    Task<> ping(NodeKey to, UnixTime sent) {
        const auto own = crypto::PrivateKey::generate(world_.rng);
        const Ping question{random_bytes<SessionId>(world_.rng)};
        auto event = seal_envelope(question, own, to, sent, world_.rng);
        EXPECT_TRUE(event);
        auto published = co_await world_.bus.publish(std::move(*event));
        EXPECT_TRUE(published);
    }
    Task<> ping_often(NodeKey to, int times) {
        for (int i = 0; i < times; ++i) co_await ping(to, world_.clock.unix_now());
    }
    std::size_t envelopes_to(const NodeKey& key) const {
        return static_cast<std::size_t>(std::count_if(envelopes_.begin(), envelopes_.end(), [&](const auto& event) {
            return event.tag("p") == std::optional<std::string_view>(key.hex());
        }));
    }
    std::size_t envelopes_of(const NodeKey& key) const {
        return static_cast<std::size_t>(std::count_if(envelopes_.begin(), envelopes_.end(),
                                                      [&](const auto& event) { return event.pubkey == key; }));
    }
    NodeKey provider_key() const { return provider_->keys->node().node_key(); }

    std::vector<codec::Event> envelopes_;
    std::unique_ptr<ports::Subscription> seen_;
};

TEST_F(LatencyTest, ThoseThatAnswerComeFirstAndAreAskedOnce) {
    ASSERT_TRUE(world_.run(start_provider()));
    const auto silent = publish_silent();
    ProposalQuery query;
    query.order = OfferOrder::latency;
    auto offers = list(query);
    ASSERT_EQ(offers.size(), 2U);
    EXPECT_EQ(offers[0].proposal.provider, provider_key());
    ASSERT_TRUE(offers[0].latency);
    EXPECT_GE(*offers[0].latency, milliseconds(1));
    EXPECT_EQ(offers[1].proposal.provider, silent);
    EXPECT_FALSE(offers[1].latency);
    query.order = OfferOrder::price;
    EXPECT_EQ(list(query)[1].latency, offers[0].latency) << "what is known is shown in every order";
    query.max_latency = milliseconds(60'000);
    offers = list(query);
    ASSERT_EQ(offers.size(), 1U);
    EXPECT_EQ(offers[0].proposal.provider, provider_key());
    EXPECT_EQ(envelopes_to(provider_key()), 1U);
    EXPECT_EQ(envelopes_to(silent), 1U);
    EXPECT_EQ(envelopes_of(consumer_->keys->node().node_key()), 0U) << "keys are made for each question";
    for (const auto& each : envelopes_) EXPECT_EQ(each.content.find("ping"), std::string::npos);
}

TEST_F(LatencyTest, EightAreAskedInARound) {
    ASSERT_TRUE(world_.run(start_provider()));
    std::vector<NodeKey> silent;
    for (int i = 0; i < 8; ++i) silent.push_back(publish_silent());
    LatencyRound round;
    ASSERT_TRUE(world_.run(measure(round)));
    EXPECT_EQ(round.measured, 8U);
    EXPECT_EQ(round.answered, 0U);
    EXPECT_EQ(round.left, 1U) << "the dearest";
    ASSERT_TRUE(world_.run(measure(round)));
    EXPECT_EQ(round.measured, 1U);
    EXPECT_EQ(round.answered, 1U);
    EXPECT_EQ(round.left, 0U);
    for (const auto& key : silent) EXPECT_EQ(envelopes_to(key), 1U);
}

TEST_F(LatencyTest, OnlyAProviderAnswersAndOnlyWhatIsFresh) {
    ASSERT_TRUE(world_.run(start_provider()));
    const auto now = world_.clock.unix_now();
    ASSERT_TRUE(world_.run(ping(consumer_->keys->node().node_key(), now)));
    ASSERT_TRUE(world_.run(ping(provider_key(), now - 2 * codec::kEnvelopeLife)));
    ASSERT_TRUE(world_.run(ping(provider_key(), now)));
    auto answered = [this] { return envelopes_of(provider_key()) > 0; };
    ASSERT_TRUE(world_.run(until(answered, "the pong")));
    EXPECT_EQ(envelopes_.size(), 4U) << "three pings, in their order, and one pong";
}

TEST_F(LatencyTest, PongsAtSlowRelaysLeaveRoomForAnswersToRequests) {
    ASSERT_TRUE(world_.run(start_provider()));
    world_.bus.slow_author = provider_key();
    ASSERT_TRUE(world_.run(ping_often(provider_key(), 60)));
    ASSERT_TRUE(world_.run(connect_only({})));
    EXPECT_EQ(status().state, ConnectionState::connected);
    EXPECT_EQ(envelopes_of(provider_key()) - 1, 32U) << "though 40 would be answered at once";
    world_.bus.slow_author.reset();
}

TEST_F(LatencyTest, PingsAreAnsweredAtALimitedRate) {
    ASSERT_TRUE(world_.run(start_provider()));
    constexpr int kPings = 240;
    ASSERT_TRUE(world_.run(ping_often(provider_key(), kPings)));
    ASSERT_TRUE(world_.run(connect_only({}))) << "the request waits behind the pings, and is served all the same";
    EXPECT_EQ(status().state, ConnectionState::connected);
    const auto pongs = envelopes_of(provider_key()) - 1;
    EXPECT_GE(pongs, 40U);
    EXPECT_LT(pongs, static_cast<std::size_t>(kPings));
}

}  // namespace
}  // namespace myst::node
