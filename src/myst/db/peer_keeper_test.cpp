// How a node finds peers: first with made-up connections, then with real relays on the loopback address.
#include "myst/db/peer_keeper.hpp"

#include <gmock/gmock.h>

#include "myst/db/fake_registry.hpp"
#include "myst/db/full_network.hpp"
#include "myst/db/lying_relay.hpp"
#include "myst/db/node_announcer.hpp"
#include "myst/db/peer_fixtures.hpp"

namespace myst::db::test {
namespace {

using ::testing::AnyOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

PeerKeeper::Settings quick(AddressScope scope = AddressScope::any) {
    PeerKeeper::Settings settings;
    settings.wanted = 8;
    settings.book.scope = scope;
    settings.book.first_pause = milliseconds(20);
    settings.dial_pause = milliseconds(1);
    settings.look = milliseconds(10);
    return settings;
}

codec::Event node_record(const crypto::PrivateKey& key, const std::vector<std::string>& urls, UnixTime now) {
    auto event = make_node_record(record_of(urls, now)).value();
    codec::sign_event(event, key, Hash32{});
    return event;
}

Task<> submit(RecordHub& hub, codec::Event event) {
    auto record = Record::verify(std::move(event)).value();
    auto receipt = co_await hub.submit(std::move(record));
    EXPECT_TRUE(receipt.accepted) << receipt.message;
}

/// Takes in a node record of the n-th key.
Task<> announce(RecordHub& hub, World& world, std::uint8_t n, const char* url, const char* second = nullptr) {
    std::vector<std::string> urls{url};
    if (second) urls.emplace_back(second);
    auto event = node_record(key_of(n), urls, world.now());
    auto submitting = submit(hub, std::move(event));
    co_await std::move(submitting);
}

/// A keeper whose connections are made up.
struct FakePeers {
    explicit FakePeers(World& world, PeerKeeper::Settings settings, const std::vector<std::string>& configured = {},
                       ports::ProviderRegistry* registry = nullptr)
        : group(world.loop.group),
          hub(*store, world.clock, AdmissionPolicy{}, registry),
          keeper(
              world.loop.executor(), hub, world.clock, world.rng, urls(configured),
              [this](RelayUrl url, asio::ip::address address) { return visit(std::move(url), address); },
              counting(std::move(settings))) {}
    PeerKeeper::Settings counting(PeerKeeper::Settings settings) {
        settings.look_up = [this, look_up = std::move(settings.look_up)](std::string host) {
            ++lookups;
            return look_up ? look_up(std::move(host)) : names.look_up(std::move(host));
        };
        return settings;
    }
    Task<RelayEnd> visit(RelayUrl url, asio::ip::address address) {
        visits.push_back(url.text());
        addresses.push_back(address.to_string());
        if (end != RelayEnd::lost) co_return end;
        keeper.connected(url);
        for (;;) co_await sleep_for(milliseconds(10'000));
    }
    static std::vector<RelayUrl> urls(const std::vector<std::string>& texts) {
        std::vector<RelayUrl> result;
        for (const auto& text : texts) result.push_back(url_of(text));
        return result;
    }
    void start() { group.spawn("keeper", keeper.run()); }

    TaskGroup& group;
    std::unique_ptr<SqliteRecordStore> store = open_store();
    RecordHub hub;
    std::vector<std::string> visits;
    std::vector<std::string> addresses;
    int lookups = 0;
    sys::SideLookup names;
    RelayEnd end = RelayEnd::lost;  ///< `lost`: the connection lasts
    PeerKeeper keeper;
};

Task<> before_and_after(World& world, FakePeers& peers) {
    co_await announce(peers.hub, world, 1, "ws://11.1.0.1:7777");
    peers.start();
    co_await until([&] { return peers.visits.size() == 1; });
    co_await announce(peers.hub, world, 2, "ws://11.2.0.1:7777", "ws://11.3.0.1:7777");
    co_await announce(peers.hub, world, 3, "ws://11.1.0.2:7777");
    co_await announce(peers.hub, world, 4, "ws://11.9.0.2:7777");
    co_await announce(peers.hub, world, 5, "ws://11.4.0.1:7777");
    co_await until([&] { return peers.visits.size() == 3; });
    EXPECT_EQ(peers.visits.front(), "ws://11.1.0.1:7777");
    EXPECT_THAT(peers.visits, ::testing::Contains("ws://11.4.0.1:7777"));
    EXPECT_THAT(peers.visits, ::testing::Contains(AnyOf("ws://11.2.0.1:7777", "ws://11.3.0.1:7777")));
    const auto* found = peers.keeper.find(url_of("ws://11.1.0.1:7777"));
    EXPECT_TRUE(found && found->connected && found->group == "11.1.0.0/16");
}

TEST(PeerKeeper, ConnectsToWhatStoredAndNewRecordsName) {
    World world;
    auto settings = quick(AddressScope::public_only);
    settings.own_key = key_of(4).node_key();
    FakePeers peers(world, settings);
    world.loop.run(before_and_after(world, peers));
}

Task<> visit_localhost(World& world, FakePeers& peers, bool permitted) {
    co_await announce(peers.hub, world, 1, "ws://localhost:7777");
    peers.start();
    co_await until([&] { return peers.lookups == 1; });
    if (!permitted) co_await until([&] { return peers.keeper.candidates() == 0; });
    if (permitted) co_await until([&] { return !peers.visits.empty(); });
    EXPECT_EQ(peers.visits.empty(), !permitted);
    EXPECT_THAT(peers.addresses, Each(AnyOf("127.0.0.1", "::1"))) << "connected to by the address that was checked";
}

TEST(PeerKeeper, ANameThatStandsForThisMachineIsNotConnectedTo) {
    for (const bool permitted : {false, true}) {
        World world;
        auto settings = quick(permitted ? AddressScope::any : AddressScope::public_only);
        settings.book.failures = 1;
        FakePeers peers(world, settings);
        world.loop.run(visit_localhost(world, peers, permitted));
    }
}

Task<> ends_badly(World& world, FakePeers& peers, RelayEnd end) {
    peers.end = end;
    co_await announce(peers.hub, world, 1, "ws://11.1.0.1:7777");
    peers.start();
    co_await until([&] { return peers.visits.size() == 1 && peers.keeper.candidates() == 0; });
    peers.end = RelayEnd::lost;
    co_await announce(peers.hub, world, 2, "ws://11.1.0.1:7777");
    co_await announce(peers.hub, world, 3, "ws://11.2.0.1:7777");
    co_await until([&] { return peers.visits.size() == 2; });
    EXPECT_THAT(peers.visits, ElementsAre("ws://11.1.0.1:7777", "ws://11.2.0.1:7777"));
}

TEST(PeerKeeper, AForgerAndTheNodeItselfAreNotTriedAgain) {
    for (const auto end : {RelayEnd::forged, RelayEnd::is_self}) {
        World world;
        FakePeers peers(world, quick());
        world.loop.run(ends_badly(world, peers, end));
    }
}

Task<> unreachable(World& world, FakePeers& peers) {
    peers.end = RelayEnd::unreachable;
    co_await announce(peers.hub, world, 1, "ws://11.1.0.1:7777");
    peers.start();
    co_await until([&] { return peers.visits.size() == 3; });
    co_await until([&] { return peers.keeper.candidates() == 0; });
    EXPECT_EQ(peers.visits.size(), 3U);
}

TEST(PeerKeeper, AnAddressThatFailsIsTriedAFewTimes) {
    World world;
    auto settings = quick();
    settings.book.failures = 3;
    FakePeers peers(world, settings);
    world.loop.run(unreachable(world, peers));
}

Task<> exchanged(World& world, FakePeers& peers) {
    co_await announce(peers.hub, world, 1, "ws://11.1.0.1:7777");
    peers.start();
    co_await until([&] { return peers.visits.size() == 1; });
    co_await announce(peers.hub, world, 2, "ws://11.2.0.1:7777");
    co_await until([&] { return peers.visits.size() == 2; });
    EXPECT_THAT(peers.visits, ElementsAre("ws://11.1.0.1:7777", "ws://11.2.0.1:7777"));
    EXPECT_FALSE(peers.keeper.find(url_of("ws://11.1.0.1:7777")));
    EXPECT_TRUE(peers.keeper.find(url_of("ws://11.2.0.1:7777")));
}

TEST(PeerKeeper, APeerMakesRoomForAnotherFromTimeToTime) {
    World world;
    auto settings = quick();
    settings.wanted = 1;
    settings.exchange_interval = milliseconds(20);
    FakePeers peers(world, settings);
    world.loop.run(exchanged(world, peers));
}

Task<> ask_for_registered(World& world, FakePeers& peers) {
    for (std::uint8_t n = 1; n <= 20; ++n) {
        const auto url = "ws://11." + std::to_string(n) + ".0.1:7777";
        co_await announce(peers.hub, world, n, url.c_str());
    }
    peers.start();
    co_await until([&] { return peers.visits.size() == 2; });
    EXPECT_THAT(peers.visits, ::testing::Contains("ws://11.17.0.1:7777"));
    const auto* registered = peers.keeper.find(url_of("ws://11.17.0.1:7777"));
    EXPECT_TRUE(registered && registered->registered);
}

TEST(PeerKeeper, ARegisteredAuthorIsPreferred) {
    World world;
    auto settings = quick();
    settings.wanted = 2;
    FakeRegistry registry;
    registry.keys = {key_of(17).node_key()};
    FakePeers peers(world, settings, {}, &registry);
    world.loop.run(ask_for_registered(world, peers));
}

Task<> find_the_registered(World& world, FakePeers& peers, FakeRegistry& registry) {
    auto old = node_record(key_of(100), {"ws://11.100.0.1:7777"}, world.now() - seconds(60));
    co_await submit(peers.hub, std::move(old));
    for (std::uint8_t n = 1; n <= 5; ++n) {
        const auto url = "ws://11." + std::to_string(n) + ".0.1:7777";
        co_await announce(peers.hub, world, n, url.c_str());
    }
    // While the registry cannot be read, only the newest records are.
    registry.unavailable = true;
    peers.start();
    co_await until([&] { return peers.keeper.candidates() == 3; });
    registry.unavailable = false;
    const auto url = url_of("ws://11.100.0.1:7777");
    co_await until([&] { return peers.keeper.find(url) != nullptr; });
    EXPECT_TRUE(peers.keeper.find(url)->registered);
    // Who leaves the registry is a stranger like others.
    registry.keys.erase(key_of(100).node_key());
    world.clock.advance_all(seconds(600));
    co_await until([&] { return !peers.keeper.find(url)->registered; });
}

TEST(PeerKeeper, FindsTheRecordsOfTheRegisteredAmongAnyNumberOfOthers) {
    World world;
    auto settings = quick();
    settings.stored_records = 3;
    settings.registry_retry = milliseconds(5);
    settings.registry_interval = milliseconds(5);
    FakeRegistry registry;
    // More than a page of those who have no node record.
    for (std::uint8_t n = 110; n < 200; ++n) registry.keys.insert(key_of(n).node_key());
    registry.keys.insert(key_of(100).node_key());
    FakePeers peers(world, settings, {}, &registry);
    world.loop.run(find_the_registered(world, peers, registry));
}

/// Three authors name an address each, and one of them another's, too; then two records go.
Task<> taken_back(World& world, FakePeers& peers) {
    peers.start();
    co_await announce(peers.hub, world, 1, "ws://11.1.0.1:7777", "ws://11.9.0.1:7777");
    co_await announce(peers.hub, world, 2, "ws://11.2.0.1:7777");
    co_await announce(peers.hub, world, 3, "ws://11.3.0.1:7777", "ws://11.9.0.1:7777");
    co_await until([&] { return peers.keeper.candidates() == 4; });
    // Of another record than the node record: nothing changes.
    auto other = make_event(key_of(2), kDeletionKind, world.now(),
                            {{"a", "30510:" + key_of(2).node_key().hex() + ":wireguard"}});
    co_await submit(peers.hub, std::move(other));
    auto deletion =
        make_event(key_of(1), kDeletionKind, world.now(), {{"a", "10510:" + key_of(1).node_key().hex() + ":"}});
    co_await submit(peers.hub, std::move(deletion));
    co_await until([&] { return peers.keeper.candidates() == 3; });
    auto revocation = make_event(key_of(3), kRevocationKind, world.now());
    co_await submit(peers.hub, std::move(revocation));
    co_await until([&] { return peers.keeper.candidates() == 1; });
}

TEST(PeerKeeper, ForgetsAddressesWhoseRecordWasDeletedOrItsKeyRevoked) {
    World world;
    auto settings = quick();
    settings.dial_pause = milliseconds(60'000);
    FakePeers peers(world, settings);
    world.loop.run(taken_back(world, peers));
}

// --- real relays ----------------------------------------------------------------------------------------------------

/// A full node: relay, network, and a node record that is published.
class Node {
public:
    Node(World& world, std::uint8_t n, std::vector<RelayUrl> configured, std::size_t wanted = 8)
        : key(key_of(n)),
          check(std::make_shared<SelfCheck>(world.rng)),
          relay(world, {}, 0, false, {}, {}, check),
          network(world.loop.executor(), relay.hub, world.clock, world.rng, world.workers,
                  settings(std::move(configured), wanted)),
          announcer(network, signer(key), world.clock, world.rng, {record_of({relay.url().text()})}) {
        relay.start();
        world.loop.group.spawn("network", network.run());
    }
    static NodeAnnouncer::Signer signer(const crypto::PrivateKey& key) {
        return [&key](codec::Event event) -> Task<Result<codec::Event>> {
            codec::sign_event(event, key, Hash32{});
            co_return event;
        };
    }
    FullNetwork::Settings settings(std::vector<RelayUrl> configured, std::size_t wanted) {
        FullNetwork::Settings settings;
        settings.peers = quick_set(std::move(configured));
        settings.peers.client.self_check = check;
        settings.found = quick();
        settings.found.wanted = wanted;
        settings.found.own_key = key.node_key();
        return settings;
    }
    [[nodiscard]] std::vector<std::string> connected(ports::RelayOrigin origin) const {
        std::vector<std::string> result;
        for (const auto& each : network.relays()) {
            if (each.connected && each.origin == origin) result.push_back(each.url);
        }
        return result;
    }

    crypto::PrivateKey key;
    std::shared_ptr<SelfCheck> check;
    TestRelay relay;
    FullNetwork network;
    NodeAnnouncer announcer;
};

Task<std::vector<SyncItem>> content_of(RecordHub& hub) {
    codec::Filter filter;
    filter.kinds = {kProposalKind, kNodeRecordKind};
    auto items = co_await hub.items(filter, 1'000);
    EXPECT_TRUE(items);
    if (!items) co_return std::vector<SyncItem>{};
    std::sort(items->begin(), items->end());
    co_return std::move(*items);
}

Task<> until_it_has(RecordHub& hub, Hash32 id) {
    for (;;) {
        const auto content = co_await content_of(hub);
        if (std::any_of(content.begin(), content.end(), [&](const SyncItem& item) { return item.id == id; })) co_return;
        co_await sleep_for(milliseconds(5));
    }
}

Task<std::vector<SyncItem>> content_once_it_has(RecordHub& hub, std::size_t count) {
    for (;;) {
        auto content = co_await content_of(hub);
        if (content.size() >= count) co_return content;
        co_await sleep_for(milliseconds(5));
    }
}

Task<> find_the_others(World& world, Node& known, std::vector<Node*> others, Node& fresh) {
    for (auto* each : others) {
        world.loop.group.spawn("node record", each->announcer.run());
        const auto proposal = make_proposal(each->key, world.now());
        co_await submit(each->relay.hub, proposal);
    }
    const std::vector<std::string> urls = {others[0]->relay.url().text(), others[1]->relay.url().text(),
                                           others[2]->relay.url().text()};
    co_await until([&] { return fresh.connected(ports::RelayOrigin::record).size() == 3; });
    EXPECT_THAT(fresh.connected(ports::RelayOrigin::record), ::testing::UnorderedElementsAreArray(urls));
    for (auto* each : others) {
        co_await until([&] { return each->connected(ports::RelayOrigin::record).size() == 2; });
    }
    // Without the one that all of them knew, what one of them takes in still reaches the new node.
    co_await known.relay.stop();
    const auto late = make_proposal(key_of(99), world.now());
    co_await submit(others[0]->relay.hub, late);
    co_await until_it_has(fresh.relay.hub, late.id);
    for (auto* each : others) co_await until_it_has(each->relay.hub, late.id);
    // Node records, proposals, and the late one.
    const auto expected = co_await content_once_it_has(fresh.relay.hub, 3 + 3 + 1);
    for (auto* each : others) {
        const auto content = co_await content_once_it_has(each->relay.hub, expected.size());
        EXPECT_TRUE(content == expected);
    }
}

TEST(PeerDiscovery, ANewNodeThatKnowsOneFindsTheOthers) {
    World world;
    Node known(world, 1, {}, 0);
    Node a(world, 2, {known.relay.url()});
    Node b(world, 3, {known.relay.url()});
    Node c(world, 4, {known.relay.url()});
    Node fresh(world, 5, {known.relay.url()});
    world.loop.run(find_the_others(world, known, {&a, &b, &c}, fresh));
}

Task<> meet_itself(RelayClient& client, TestRelay& relay) {
    auto connecting = client.connect_once();
    const auto end = co_await std::move(connecting);
    EXPECT_EQ(end, RelayEnd::is_self);
    EXPECT_EQ(client.status().last_error, "this is the node's own relay");
    co_await until([&] { return relay.server->connections() == 0; });
}

TEST(PeerDiscovery, ANodeNoticesThatItHasCalledItself) {
    World world;
    auto check = std::make_shared<SelfCheck>(world.rng);
    TestRelay relay(world, {}, 0, false, {}, {}, check);
    relay.start();
    auto settings = quick_client(relay.url());
    settings.self_check = check;
    RelayClient client(world.loop.executor(), world.clock, world.rng, world.workers, settings);
    world.loop.run(meet_itself(client, relay));
}

Task<> meet_another(RelayClient& client) {
    co_await until([&] { return client.connected(); });
}

TEST(PeerDiscovery, ANumberOfAnotherNodeIsNoneOfItsOwn) {
    World world;
    TestRelay relay(world, {}, 0, false, {}, {}, std::make_shared<SelfCheck>(world.rng));
    relay.start();
    auto settings = quick_client(relay.url());
    settings.self_check = std::make_shared<SelfCheck>(world.rng);
    RelayClient client(world.loop.executor(), world.clock, world.rng, world.workers, settings);
    world.loop.group.spawn("client", client.run());
    world.loop.run(meet_another(client));
}

/// Seven relays that hide every record: four that say there is none and that nothing differs, three that forge.
struct Liars {
    explicit Liars(World& world) {
        auto forged = make_proposal(key_of(200), world.now());
        forged.content += " ";
        for (int i = 0; i < 7; ++i) {
            auto& liar = relays.emplace_back(std::make_unique<LyingRelay>(world));
            const bool hides = i < 4;
            if (hides) liar->to_neg_open = {R"(["NEG-MSG","$","61"])"};
            liar->answers =
                hides ? std::vector<std::string>{encode_eose("$")} : std::vector<std::string>(20, event_text(forged));
            world.loop.group.spawn("liar", liar->run());
        }
    }
    [[nodiscard]] std::vector<RelayUrl> urls() const {
        std::vector<RelayUrl> result;
        for (const auto& each : relays) result.push_back(each->url());
        return result;
    }
    std::vector<std::unique_ptr<LyingRelay>> relays;
};

Task<> get_it(World& world, Liars& liars, TestRelay& honest, Node& node, bool configured) {
    const auto hidden = make_proposal(key_of(100), world.now());
    co_await submit(honest.hub, hidden);
    // Not configured: a node record of the honest relay is in the store, from an earlier day.
    const auto known = node_record(key_of(101), {honest.url().text()}, world.now());
    if (!configured) co_await submit(node.relay.hub, known);
    for (auto& each : liars.relays) co_await until([&] { return each->connections > 0; });
    co_await until_it_has(node.relay.hub, hidden.id);
    for (std::size_t i = 4; i < 7; ++i) {
        co_await until(
            [&] { return node.network.relays().at(i).last_error == "it sent too many forged or malformed messages"; });
    }
}

TEST(PeerDiscovery, OneHonestPeerAmongSevenLiarsIsEnough) {
    for (const bool configured : {true, false}) {
        World world;
        Liars liars(world);
        TestRelay honest(world);
        honest.start();
        auto peers = liars.urls();
        if (configured) peers.push_back(honest.url());
        Node node(world, 1, std::move(peers), 2);
        world.loop.run(get_it(world, liars, honest, node, configured));
    }
}

Task<> ban(World& world, LyingRelay& liar, Node& node) {
    const auto url = liar.url().text();
    co_await announce(node.relay.hub, world, 50, url.c_str());
    co_await until([&] { return liar.connections == 1; });
    co_await until([&] { return node.network.relays().empty(); });
    co_await announce(node.relay.hub, world, 51, url.c_str());
    // The same machine by another host, since all of 127.0.0.1 is banned.
    TestRelay honest(world);
    honest.start();
    const auto other = "ws://[::ffff:127.0.0.1]:" + std::to_string(honest.server->local_port());
    co_await announce(node.relay.hub, world, 52, other.c_str());
    co_await until([&] { return node.connected(ports::RelayOrigin::record).size() == 1; });
    EXPECT_EQ(liar.connections, 1) << "its host is banned";
    co_await honest.stop();
}

TEST(PeerDiscovery, AFoundRelayThatForgesIsBanned) {
    World world;
    LyingRelay liar(world);
    auto forged = make_proposal(key_of(2), world.now());
    forged.content += " ";
    liar.answers = std::vector<std::string>(20, event_text(forged));
    world.loop.group.spawn("liar", liar.run());
    Node node(world, 1, {});
    world.loop.run(ban(world, liar, node));
}

}  // namespace
}  // namespace myst::db::test
