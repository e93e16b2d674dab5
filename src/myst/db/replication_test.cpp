// Replication between full nodes, over real loopback connections.
#include <gmock/gmock.h>

#include "myst/db/full_network.hpp"
#include "myst/db/relay_fixtures.hpp"
#include "myst/db/relay_handshake.hpp"
#include "myst/sys/test_support/fault_relay.hpp"

namespace myst::db::test {
namespace {

namespace ip = asio::ip;
using sys::testing::StreamRelay;
using sys::testing::Way;

/// Proposals `from` up to, not including, `to` of a fixed series, each of an author of its own.
std::vector<SharedRecord> series(UnixTime now, std::uint16_t from, std::uint16_t to) {
    std::vector<SharedRecord> records;
    for (; from < to; ++from) {
        std::array<std::uint8_t, 32> bytes{};
        bytes[0] = 1;
        bytes[30] = static_cast<std::uint8_t>(from >> 8);
        bytes[31] = static_cast<std::uint8_t>(from);
        const auto key = crypto::PrivateKey::from(bytes).value();
        records.push_back(Record::verify(make_proposal(key, now - seconds(from % 1'000))).value());
    }
    return records;
}

std::size_t bytes_of(const std::vector<SharedRecord>& records) {
    std::size_t bytes = 0;
    for (const auto& record : records) bytes += record->json().size();
    return bytes;
}

Task<> put_all(RecordStore& store, std::vector<SharedRecord> records, UnixTime now) {
    for (auto& record : records) {
        auto outcome = co_await store.put(std::move(record), now);
        EXPECT_TRUE(outcome && *outcome == PutOutcome::stored);
    }
}

/// What a node has, in a form that can be compared.
Task<std::vector<SyncItem>> content_of(RecordHub& hub) {
    codec::Filter filter;
    filter.kinds = {kProposalKind};
    auto items = co_await hub.items(filter, 100'000);
    EXPECT_TRUE(items);
    if (!items) co_return std::vector<SyncItem>{};
    std::sort(items->begin(), items->end());
    co_return std::move(*items);
}

Task<> until_it_has(RecordHub& hub, std::size_t count) {
    for (;;) {
        const auto content = co_await content_of(hub);
        if (content.size() >= count) co_return;
        co_await sleep_for(milliseconds(10));
    }
}

/// A store and its hub with the network of a node, without a relay of its own.
struct Follower {
    Follower(World& world, RelayUrl peer, milliseconds interval = milliseconds(300'000)) {
        FullNetwork::Settings settings;
        settings.peers = quick_set({std::move(peer)});
        settings.reconcile_interval = interval;
        network =
            std::make_unique<FullNetwork>(world.loop.executor(), hub, world.clock, world.rng, world.workers, settings);
    }
    std::unique_ptr<SqliteRecordStore> store = open_store();
    SystemClock clock;
    RecordHub hub{*store, clock, AdmissionPolicy{}};
    std::unique_ptr<FullNetwork> network;
};

RelayLimits unhurried() {
    RelayLimits limits;
    limits.messages_per_second = 100'000;
    limits.burst = 100'000;
    return limits;
}

Task<> become_equal(World& world, TestRelay& relay, Follower& follower) {
    const auto now = world.now();
    auto all = series(now, 0, 3'000);
    std::vector<SharedRecord> mine(all.begin(), all.begin() + 2'000);
    std::vector<SharedRecord> theirs(all.begin() + 1'000, all.end());
    co_await put_all(*follower.store, std::move(mine), now);
    co_await put_all(*relay.store, std::move(theirs), now);
    world.loop.group.spawn("network", follower.network->run());
    co_await until_it_has(relay.hub, 3'000);
    co_await until_it_has(follower.hub, 3'000);
    const auto here = co_await content_of(follower.hub);
    const auto there = co_await content_of(relay.hub);
    EXPECT_EQ(here.size(), 3'000U);
    EXPECT_TRUE(here == there);
}

TEST(Replication, TwoSetsWithACommonPartBecomeEqual) {
    World world;
    TestRelay relay(world, unhurried());
    relay.start();
    Follower follower(world, relay.url());
    world.loop.run(become_equal(world, relay, follower));
}

Task<> catch_up(World& world, TestRelay& relay, std::unique_ptr<StreamRelay> line, Follower& follower) {
    const auto now = world.now();
    auto before = series(now, 0, 2'000);
    // Older than all that is here already: no subscription would ask for them.
    auto missed = series(now - seconds(1'500), 2'000, 2'300);
    const auto difference = bytes_of(missed);
    co_await put_all(*follower.store, before, now);
    co_await put_all(*relay.store, std::move(before), now);
    co_await put_all(*relay.store, std::move(missed), now);
    world.loop.group.spawn("network", follower.network->run());
    co_await until_it_has(follower.hub, 2'300);
    const auto bytes = line->counters(Way::forth).bytes + line->counters(Way::back).bytes;
    EXPECT_LE(bytes, 2 * difference);
    ::testing::Test::RecordProperty("difference", static_cast<int>(difference));
    ::testing::Test::RecordProperty("transferred", static_cast<int>(bytes));
}

TEST(Replication, ANodeThatWasAwayFetchesLittleMoreThanItMissed) {
    World world;
    TestRelay relay(world);
    relay.start();
    const ip::tcp::endpoint target(ip::address_v4::loopback(), relay.server->local_port());
    auto line = std::make_unique<StreamRelay>(world.loop.context, target, 1);
    Follower follower(world, *RelayUrl::parse("ws://127.0.0.1:" + std::to_string(line->endpoint().port())));
    world.loop.run(catch_up(world, relay, std::move(line), follower));
}

Task<> later(World& world, TestRelay& relay, Follower& follower) {
    world.loop.group.spawn("network", follower.network->run());
    co_await until([&] { return follower.network->relays().front().connected; });
    co_await sleep_for(milliseconds(50));
    // Past the hub, so that no subscription sees it.
    const auto now = world.now();
    co_await put_all(*relay.store, series(now, 0, 1), now);
    co_await until_it_has(follower.hub, 1);
    co_await put_all(*follower.store, series(now, 1, 2), now);
    co_await until_it_has(relay.hub, 2);
}

TEST(Replication, ComparesAgainWhileConnected) {
    World world;
    TestRelay relay(world);
    relay.start();
    Follower follower(world, relay.url(), milliseconds(20));
    world.loop.run(later(world, relay, follower));
}

/// A relay that answers as a test says.
struct OddRelay {
    explicit OddRelay(World& world) : acceptor(world.loop.context, {ip::address_v4::loopback(), 0}) {}
    ip::tcp::acceptor acceptor;
    std::string to_neg_open;           ///< "$" stands for the name
    std::vector<SharedRecord> stored;  ///< handed out to every query
    std::string to_event;              ///< why no record is taken; empty: all are
    int opened = 0;                    ///< NEG-OPENs
    int offered = 0;                   ///< EVENTs
    int queries = 0;                   ///< other than subscriptions
    [[nodiscard]] RelayUrl url() const {
        return *RelayUrl::parse("ws://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()));
    }
    Task<> run() {
        auto socket = co_await acceptor.async_accept(asio::use_awaitable);
        auto information = std::make_shared<const std::string>("{}");
        WebSocketSettings settings;
        detail::Admit admit_all = [](const detail::Visitor&) { return detail::Welcome::come_in; };
        auto accepting = detail::accept_client(std::move(socket), information, settings, std::move(admit_all));
        auto client = co_await std::move(accepting);
        EXPECT_TRUE(client && *client);
        if (client && *client) co_await serve(client->get());
    }
    Task<> serve(WebSocket* client) {
        for (;;) {
            auto text = co_await client->read();
            if (!text) co_return;
            auto message = decode_client_message(*text, {});
            EXPECT_TRUE(message) << *text;
            if (!message) continue;
            if (auto* open = std::get_if<NegOpenMessage>(&*message)) {
                ++opened;
                auto answer = to_neg_open;
                const auto place = answer.find('$');
                if (place != std::string::npos) answer.replace(place, 1, open->name);
                if (!answer.empty()) co_await say(client, std::move(answer));
            } else if (auto* event = std::get_if<EventMessage>(&*message)) {
                ++offered;
                co_await say(client, encode_ok(event->record->event().id, to_event.empty(), to_event));
            } else if (auto* req = std::get_if<ReqMessage>(&*message)) {
                co_await answer_req(client, std::move(*req));
            }
        }
    }
    Task<> answer_req(WebSocket* client, ReqMessage req) {
        const bool query = req.subscription.starts_with('q');
        if (query) ++queries;
        for (std::size_t i = 0; query && i < stored.size(); ++i) {
            if (!req.filters.front().matches(stored[i]->event())) continue;
            co_await say(client, encode_relay_event(req.subscription, stored[i]->json()));
        }
        co_await say(client, encode_eose(req.subscription));
    }
};

Task<> without(World& world, OddRelay& relay, Follower& follower) {
    relay.stored = series(world.now(), 0, 3);
    world.loop.group.spawn("odd relay", relay.run());
    world.loop.group.spawn("network", follower.network->run());
    co_await until_it_has(follower.hub, 3);
    EXPECT_EQ(relay.opened, 1);
    EXPECT_EQ(relay.queries, 1);
}

TEST(Replication, FallsBackWithAPeerThatCannotCompare) {
    for (const char* answer : {R"(["NOTICE","unknown message"])", R"(["NEG-ERR","$","blocked: not for you"])"}) {
        World world;
        OddRelay relay(world);
        relay.to_neg_open = answer;
        Follower follower(world, relay.url());
        world.loop.run(without(world, relay, follower));
    }
}

Task<> invented(World& world, OddRelay& relay, Follower& follower) {
    world.loop.group.spawn("odd relay", relay.run());
    world.loop.group.spawn("network", follower.network->run());
    co_await until([&] { return relay.opened >= 4; });
    EXPECT_EQ(relay.queries, 1) << "what does not exist is asked for once";
}

TEST(Replication, InventedIdsCostOneQuestion) {
    World world;
    OddRelay relay(world);
    relay.to_neg_open = R"(["NEG-MSG","$","6100000201)" + std::string(64, 'a') + R"("])";
    Follower follower(world, relay.url(), milliseconds(10));
    world.loop.run(invented(world, relay, follower));
}

Task<> offer_one(World& world, OddRelay& relay, Follower& follower) {
    co_await put_all(*follower.store, series(world.now(), 0, 1), world.now());
    world.loop.group.spawn("odd relay", relay.run());
    world.loop.group.spawn("network", follower.network->run());
    co_await until([&] { return relay.opened >= 4; });
}

/// How often a record is offered, in three comparisons and more, to a relay that lacks it and refuses it.
int offers(const std::string& refusal) {
    World world;
    OddRelay relay(world);
    relay.to_neg_open = R"(["NEG-MSG","$","6100000200"])";
    relay.to_event = refusal;
    Follower follower(world, relay.url(), milliseconds(10));
    world.loop.run(offer_one(world, relay, follower));
    return relay.offered;
}

TEST(Replication, OffersAgainWhatThePeerCouldNotTakeAtTheMoment) {
    EXPECT_GE(offers("rate-limited: slow down"), 3);
    EXPECT_GE(offers("error: this relay cannot store now"), 3);
    EXPECT_EQ(offers("blocked: not for me"), 1);
}

Task<> babble(World& world, OddRelay& relay, Follower& follower) {
    relay.stored = series(world.now(), 0, 3);
    world.loop.group.spawn("odd relay", relay.run());
    world.loop.group.spawn("network", follower.network->run());
    co_await until([&] { return relay.opened >= 4; });
    EXPECT_TRUE(follower.network->relays().front().connected);
}

TEST(Replication, NonsenseEndsTheComparisonAndNotTheConnection) {
    for (const char* message : {"", "62", "610000", "61000009", "6100002100"}) {
        World world;
        OddRelay relay(world);
        relay.to_neg_open = R"(["NEG-MSG","$",")" + std::string(message) + R"("])";
        Follower follower(world, relay.url(), milliseconds(5));
        world.loop.run(babble(world, relay, follower));
    }
}

}  // namespace
}  // namespace myst::db::test
