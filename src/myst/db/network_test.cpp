// Clients, full and light networks over real loopback connections.
#include <gmock/gmock.h>

#include "myst/db/full_network.hpp"
#include "myst/db/light_network.hpp"
#include "myst/db/relay_fixtures.hpp"

namespace myst::db::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<codec::Filter> proposals() {
    std::vector<codec::Filter> filters(1);
    filters[0].kinds = {kProposalKind};
    return filters;
}

/// A relay with the network of the node that runs it.
class TestNode {
public:
    TestNode(World& world, std::vector<RelayUrl> peers) : relay(world) {
        FullNetwork::Settings settings;
        settings.peers = quick_set(std::move(peers));
        network = std::make_unique<FullNetwork>(world.loop.executor(), relay.hub, world.clock, world.rng, world.workers,
                                                settings);
        relay.start();
        world.loop.group.spawn("full network", network->run());
    }

    TestRelay relay;
    std::unique_ptr<FullNetwork> network;
};

bool all_connected(const ports::RecordNetwork& network) {
    for (const auto& relay : network.relays()) {
        if (!relay.connected) return false;
    }
    return true;
}

/// Ids that a subscription has handed over, in order.
struct Log {
    std::vector<Hash32> ids;
    [[nodiscard]] ports::RecordNetwork::Callback callback() {
        return [this](const codec::Event& event) { ids.push_back(event.id); };
    }
};

Task<> submit(RecordHub& hub, codec::Event event) {
    auto record = Record::verify(std::move(event));
    EXPECT_TRUE(record);
    auto receipt = co_await hub.submit(std::move(*record));
    EXPECT_TRUE(receipt.accepted) << receipt.message;
}

// --- the client -----------------------------------------------------------------------------------------------------

Task<> client_requests(World& world, RelayClient& client) {
    const auto event = make_proposal(key_of(1), world.now());
    const auto own = Record::verify(event).value();
    auto accepted = co_await client.publish(own);
    EXPECT_TRUE(accepted) << accepted.error().message;
    const auto foreign = make_record(key_of(1), 1, world.now());
    auto refused = co_await client.publish(foreign);
    EXPECT_FALSE(refused);
    if (!refused) {
        EXPECT_EQ(refused.error().code, ErrorCode::permission_denied);
        EXPECT_THAT(refused.error().message, HasSubstr("blocked: "));
    }
    auto found = co_await client.query(proposals(), 10);
    EXPECT_TRUE(found) << found.error().message;
    if (found) {
        EXPECT_EQ(found->size(), 1U);
    }
    EXPECT_TRUE(client.status().connected);
}

TEST(RelayClient, PublishesAndQueries) {
    World world;
    TestRelay relay(world);
    relay.start();
    RelayClient client(world.loop.executor(), world.clock, world.rng, world.workers, quick_client(relay.url()));
    world.loop.group.spawn("client", client.run());
    world.loop.run(client_requests(world, client));
}

Task<> restart(World& world, TestRelay& first, RelayClient& client) {
    std::vector<Hash32> got;
    auto subscription =
        client.subscribe(proposals(), [&](const SharedRecord& record) { got.push_back(record->event().id); });
    const auto before = make_proposal(key_of(1), world.now());
    co_await submit(first.hub, before);
    co_await until([&] { return got.size() == 1; });
    const auto port = first.server->local_port();
    co_await first.stop();
    co_await until([&] { return !client.connected(); });
    EXPECT_FALSE(client.status().last_error.empty());
    TestRelay second(world, {}, port);
    const auto during = make_proposal(key_of(2), world.now());
    co_await submit(second.hub, before);
    co_await submit(second.hub, during);
    second.start();
    co_await until([&] { return got.size() == 2; });
    const auto after = make_proposal(key_of(3), world.now());
    co_await submit(second.hub, after);
    co_await until([&] { return got.size() == 3; });
    EXPECT_THAT(got, ElementsAre(before.id, during.id, after.id)) << "nothing missed, nothing twice";
    subscription.reset();
    co_await until([&] { return second.hub.followers() == 0; });
    co_await second.stop();
}

TEST(RelayClient, ReconnectsAndSubscribesAgain) {
    World world;
    TestRelay relay(world);
    relay.start();
    RelayClient client(world.loop.executor(), world.clock, world.rng, world.workers, quick_client(relay.url()));
    world.loop.group.spawn("client", client.run());
    world.loop.run(restart(world, relay, client));
}

Task<> unanswered(RelayClient& client, World& world) {
    const auto record = make_record(key_of(1), 1, world.now());
    auto published = co_await client.publish(record);
    EXPECT_FALSE(published);
    if (!published) {
        EXPECT_EQ(published.error().code, ErrorCode::timeout);
    }
    auto found = co_await client.query(proposals(), 1);
    EXPECT_FALSE(found);
}

TEST(RelayClient, GivesUpOnARelayThatDoesNotAnswer) {
    World world;
    TestRelay relay(world);  // never started: connections wait in the kernel
    auto settings = quick_client(relay.url());
    settings.answer_timeout = milliseconds(20);
    RelayClient client(world.loop.executor(), world.clock, world.rng, world.workers, settings);
    world.loop.group.spawn("client", client.run());
    world.loop.run(unanswered(client, world));
}

// --- the full network -----------------------------------------------------------------------------------------------

Task<> replicate(World& world, TestNode& provider, TestNode& middle, TestNode& far) {
    Log early;
    const auto subscription = far.network->subscribe(proposals(), early.callback());
    const auto first = make_proposal(key_of(1), world.now() - seconds(1));
    auto report = co_await provider.network->publish(first);
    EXPECT_TRUE(report) << report.error().message;
    if (report) {
        EXPECT_THAT(report->accepted, ElementsAre("local"));
    }
    co_await until([&] { return early.ids.size() == 1; });
    const auto second = make_proposal(key_of(1), world.now());
    report = co_await provider.network->publish(second);
    EXPECT_TRUE(report) << report.error().message;
    co_await until([&] { return early.ids.size() == 2; });
    EXPECT_THAT(early.ids, ElementsAre(first.id, second.id));
    for (TestNode* node : {&provider, &middle, &far}) {
        auto found = co_await node->network->query(proposals(), 10);
        EXPECT_TRUE(found);
        if (found) {
            EXPECT_THAT(*found, ElementsAre(second));
        }
    }
    Log late;
    const auto late_subscription = far.network->subscribe(proposals(), late.callback());
    co_await until([&] { return !late.ids.empty(); });
    EXPECT_THAT(late.ids, ElementsAre(second.id));
}

TEST(FullNetwork, AProposalSpreadsOverThreeNodes) {
    World world;
    TestNode provider(world, {});
    TestNode middle(world, {provider.relay.url()});
    TestNode far(world, {middle.relay.url()});
    world.loop.run(replicate(world, provider, middle, far));
}

Task<> circle(World& world, TestNode& a, TestNode& b, RelayClient& client) {
    co_await until([&] { return all_connected(*b.network); });
    Log at_a;
    Log at_b;
    const auto follow_a = a.network->subscribe(proposals(), at_a.callback());
    const auto follow_b = b.network->subscribe(proposals(), at_b.callback());
    std::vector<Hash32> from_relay;
    const auto follow_relay =
        client.subscribe(proposals(), [&](const SharedRecord& record) { from_relay.push_back(record->event().id); });
    co_await until([&] { return client.connected(); });
    std::vector<Hash32> expected;
    for (std::uint8_t i = 1; i <= 5; ++i) {
        const auto event = make_proposal(key_of(i), world.now());
        expected.push_back(event.id);
        auto report = co_await b.network->publish(event);
        EXPECT_TRUE(report) << report.error().message;
        if (report) {
            EXPECT_THAT(report->accepted, ElementsAre("local", a.relay.url().text()));
        }
    }
    co_await until([&] { return at_a.ids.size() >= 5 && at_b.ids.size() >= 5 && from_relay.size() >= 5; });
    // One more round trip through every queue, so that an echo would have arrived.
    const auto sixth = make_proposal(key_of(6), world.now());
    auto last = co_await a.network->publish(sixth);
    EXPECT_TRUE(last);
    co_await until([&] { return at_b.ids.size() >= 6 && from_relay.size() >= 6; });
    EXPECT_EQ(at_a.ids.size(), 6U);
    EXPECT_EQ(at_b.ids.size(), 6U);
    EXPECT_EQ(from_relay.size(), 6U);
    at_a.ids.pop_back();
    EXPECT_EQ(at_a.ids, expected);
}

TEST(FullNetwork, PeersOfEachOtherDoNotEcho) {
    World world;
    TestNode a(world, {});
    TestNode b(world, {a.relay.url()});
    TestNode c(world, {a.relay.url(), b.relay.url()});
    RelayClient client(world.loop.executor(), world.clock, world.rng, world.workers, quick_client(c.relay.url()));
    world.loop.group.spawn("client", client.run());
    world.loop.run(circle(world, a, b, client));
}

Task<> late_peer(World& world, TestRelay& peer, FullNetwork& network) {
    const auto event = make_proposal(key_of(1), world.now());
    auto report = co_await network.publish(event);
    EXPECT_TRUE(report) << report.error().message;
    if (report) {
        EXPECT_THAT(report->accepted, ElementsAre("local"));
        EXPECT_EQ(report->rejected.size(), 1U);
    }
    std::vector<Hash32> at_peer;
    const auto follow =
        peer.hub.follow(proposals(), [&](const SharedRecord& record) { at_peer.push_back(record->event().id); });
    peer.start();
    co_await until([&] { return !at_peer.empty(); });
    EXPECT_THAT(at_peer, ElementsAre(event.id));
    co_await peer.stop();
}

TEST(FullNetwork, OwnRecordsReachAPeerThatComesLater) {
    World world;
    TestRelay own(world);
    TestRelay peer(world);
    FullNetwork::Settings settings;
    settings.peers = quick_set({peer.url()});
    FullNetwork network(world.loop.executor(), own.hub, world.clock, world.rng, world.workers, settings);
    world.loop.group.spawn("full network", network.run());
    world.loop.run(late_peer(world, peer, network));
}

Task<> refused_locally(World& world, TestNode& node) {
    auto forged = make_proposal(key_of(1), world.now());
    forged.content += "!";
    auto report = co_await node.network->publish(forged);
    EXPECT_FALSE(report);
    if (!report) {
        EXPECT_EQ(report.error().code, ErrorCode::invalid_argument);
    }
    const auto of_unknown_kind = make_event(key_of(1), 1, world.now());
    report = co_await node.network->publish(of_unknown_kind);
    EXPECT_FALSE(report);
    if (!report) {
        EXPECT_EQ(report.error().code, ErrorCode::unavailable);
        EXPECT_THAT(report.error().message, HasSubstr("blocked: "));
    }
    const auto envelope = make_envelope(key_of(1), key_of(2).node_key(), world.now(), "x");
    report = co_await node.network->publish(envelope);
    EXPECT_FALSE(report) << "an envelope that nobody follows has not been delivered";
}

TEST(FullNetwork, SaysWhyNobodyTookARecord) {
    World world;
    TestNode node(world, {});
    world.loop.run(refused_locally(world, node));
}

/// Ends its own subscription from within the callback, while more records are on their way.
Task<> end_in_callback(World& world, TestNode& node) {
    int calls = 0;
    std::unique_ptr<ports::Subscription> subscription;
    const auto stop = [&](const codec::Event&) {
        ++calls;
        subscription.reset();
    };
    subscription = node.network->subscribe(proposals(), stop);
    for (std::uint8_t i = 1; i <= 3; ++i) {
        const auto event = make_proposal(key_of(i), world.now());
        co_await submit(node.relay.hub, event);
    }
    EXPECT_EQ(calls, 1);
    subscription = node.network->subscribe(proposals(), stop);
    co_await until([&] { return calls > 1; });
    EXPECT_EQ(calls, 2);
    EXPECT_EQ(node.relay.hub.followers(), 0U);
}

TEST(FullNetwork, ASubscriptionMayEndInItsCallback) {
    World world;
    TestNode node(world, {});
    world.loop.run(end_in_callback(world, node));
}

// --- the light network ----------------------------------------------------------------------------------------------

/// Consumer (light) and provider (full) meet at a third node.
Task<> session_messages(World& world, TestNode& provider, LightNetwork& consumer) {
    const auto provider_key = key_of(1);
    const auto consumer_key = key_of(2);
    const auto offer = make_proposal(provider_key, world.now());
    co_await until([&] { return all_connected(*provider.network); });
    auto published = co_await provider.network->publish(offer);
    EXPECT_TRUE(published) << published.error().message;
    Log requests;
    Log replies;
    const auto reply = make_envelope(provider_key, consumer_key.node_key(), world.now(), "accepted");
    const auto at_provider = provider.network->subscribe(envelopes_to(provider_key.node_key()), requests.callback());
    const auto at_consumer = consumer.subscribe(envelopes_to(consumer_key.node_key()), replies.callback());

    auto offers = co_await consumer.query(proposals(), 10);
    EXPECT_TRUE(offers) << offers.error().message;
    if (offers) {
        EXPECT_THAT(*offers, ElementsAre(offer));
    }
    // The remote subscription is in place once an answer to a later request has come back over the same connection.
    const auto another = make_proposal(key_of(3), world.now());
    auto settled = co_await provider.network->publish(another);
    EXPECT_TRUE(settled);
    const auto request = make_envelope(consumer_key, provider_key.node_key(), world.now(), "let me in");
    auto sent = co_await consumer.publish(request);
    EXPECT_TRUE(sent) << sent.error().message;
    co_await until([&] { return !requests.ids.empty(); });
    auto answered = co_await provider.network->publish(reply);
    EXPECT_TRUE(answered) << answered.error().message;
    co_await until([&] { return !replies.ids.empty(); });
    EXPECT_THAT(requests.ids, ElementsAre(request.id));
    EXPECT_THAT(replies.ids, ElementsAre(reply.id));
}

TEST(LightNetwork, ReachesAProviderThroughAThirdNode) {
    World world;
    TestNode middle(world, {});
    TestNode provider(world, {middle.relay.url()});
    LightNetwork consumer(world.loop.executor(), world.clock, world.rng, world.workers,
                          quick_set({middle.relay.url()}));
    world.loop.group.spawn("light network", consumer.run());
    world.loop.run(session_messages(world, provider, consumer));
}

Task<> two_relays(World& world, TestRelay& fresh, TestRelay& stale, LightNetwork& network) {
    const auto old_version = make_proposal(key_of(1), world.now() - seconds(10));
    const auto new_version = make_proposal(key_of(1), world.now());
    const auto only_stale = make_proposal(key_of(2), world.now() - seconds(5));
    co_await submit(stale.hub, old_version);
    co_await submit(stale.hub, only_stale);
    co_await submit(fresh.hub, new_version);
    co_await until([&] { return all_connected(network); });
    auto found = co_await network.query(proposals(), 10);
    EXPECT_TRUE(found);
    if (found) {
        EXPECT_THAT(*found, ElementsAre(new_version, only_stale));
    }
    const auto envelope = make_envelope(key_of(1), key_of(2).node_key(), world.now(), "x");
    Log log;
    const auto subscription = network.subscribe(envelopes_to(key_of(2).node_key()), log.callback());
    co_await until([&] { return fresh.hub.followers() == 1 && stale.hub.followers() == 1; });
    auto report = co_await network.publish(envelope);
    EXPECT_TRUE(report);
    if (report) {
        EXPECT_EQ(report->accepted.size(), 2U);
    }
    co_await until([&] { return !log.ids.empty(); });
    EXPECT_THAT(log.ids, ElementsAre(envelope.id));
}

TEST(LightNetwork, MergesRelaysAndKeepsTheNewestVersion) {
    World world;
    TestRelay fresh(world);
    TestRelay stale(world);
    fresh.start();
    stale.start();
    LightNetwork network(world.loop.executor(), world.clock, world.rng, world.workers,
                         quick_set({fresh.url(), stale.url()}));
    world.loop.group.spawn("light network", network.run());
    world.loop.run(two_relays(world, fresh, stale, network));
}

Task<> nobody_there(World& world, LightNetwork& network) {
    const auto event = make_proposal(key_of(1), world.now());
    auto report = co_await network.publish(event);
    EXPECT_FALSE(report);
    if (!report) {
        EXPECT_EQ(report.error().code, ErrorCode::unavailable);
    }
    auto found = co_await network.query(proposals(), 10);
    EXPECT_FALSE(found);
    if (!found) {
        EXPECT_EQ(found.error().code, ErrorCode::unavailable);
    }
}

TEST(LightNetwork, SaysThatNoRelayCanBeReached) {
    World world;
    TestRelay relay(world);  // never started
    auto settings = quick_set({relay.url()});
    settings.client.answer_timeout = milliseconds(50);
    LightNetwork network(world.loop.executor(), world.clock, world.rng, world.workers, settings);
    world.loop.group.spawn("light network", network.run());
    world.loop.run(nobody_there(world, network));
    LightNetwork without_relays(world.loop.executor(), world.clock, world.rng, world.workers, quick_set({}));
    world.loop.run(nobody_there(world, without_relays));
}

}  // namespace
}  // namespace myst::db::test
