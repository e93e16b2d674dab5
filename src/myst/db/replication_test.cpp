// Replication between full nodes, over real loopback connections.
#include <gmock/gmock.h>

#include <set>

#include "myst/db/replication_fixtures.hpp"
#include "myst/sys/test_support/fault_relay.hpp"

namespace myst::db::test {
namespace {

namespace ip = asio::ip;
using sys::testing::StreamRelay;
using sys::testing::Way;

RelayLimits unhurried() {
    RelayLimits limits;
    limits.messages_per_second = 100'000;
    limits.burst = 100'000;
    return limits;
}

Task<> become_equal(World& world, TestRelay& relay, Follower& follower) {
    const auto now = world.now();
    auto all = series(now, 0, 1'500);
    std::vector<SharedRecord> mine(all.begin(), all.begin() + 1'000);
    std::vector<SharedRecord> theirs(all.begin() + 500, all.end());
    co_await put_all(*follower.store, std::move(mine), now);
    co_await put_all(*relay.store, std::move(theirs), now);
    world.loop.group.spawn("network", follower.network->run());
    co_await until_it_has(relay.hub, 1'500);
    co_await until_it_has(follower.hub, 1'500);
    const auto here = co_await content_of(follower.hub);
    const auto there = co_await content_of(relay.hub);
    EXPECT_EQ(here.size(), 1'500U);
    EXPECT_TRUE(here == there);
}

TEST(Replication, TwoSetsWithACommonPartBecomeEqual) {
    World world;
    TestRelay relay(world, unhurried());
    relay.start();
    Follower follower(world, {relay.url()});
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
    Follower follower(world, {loopback_url(line->endpoint().port())});
    world.loop.run(catch_up(world, relay, std::move(line), follower));
}

Task<> later(World& world, TestRelay& relay, Follower& follower) {
    world.loop.group.spawn("network", follower.network->run());
    co_await until([&] { return follower.network->relays().front().in_common.has_value(); });
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
    Follower follower(world, {relay.url()}, milliseconds(20));
    world.loop.run(later(world, relay, follower));
}

Task<> one_way(World& world, TestRelay& relay, Follower& follower) {
    world.loop.group.spawn("network", follower.network->run());
    co_await until([&] { return follower.network->relays().front().connected && relay.hub.followers() > 0; });
    // What the follower's own clients publish; the peer has no subscription here.
    auto records = series(world.now(), 0, 40);
    for (auto& record : records) {
        auto receipt = co_await follower.hub.submit(std::move(record));
        EXPECT_TRUE(receipt.fresh);
    }
    co_await until_it_has(relay.hub, 40);
    // And what the peer has shown is not sent back.
    auto theirs = series(world.now(), 40, 41).front();
    auto receipt = co_await relay.hub.submit(theirs);
    EXPECT_TRUE(receipt.fresh);
    co_await until_it_has(follower.hub, 41);
}

TEST(Replication, WhatIsNewReachesAPeerThatDoesNotSubscribeHere) {
    World world;
    TestRelay relay(world);
    relay.start();
    Follower follower(world, {relay.url()});
    world.loop.run(one_way(world, relay, follower));
}

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
        Follower follower(world, {relay.url()});
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
    Follower follower(world, {relay.url()}, milliseconds(10));
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
    Follower follower(world, {relay.url()}, milliseconds(10));
    world.loop.run(offer_one(world, relay, follower));
    return relay.offered;
}

TEST(Replication, OffersAgainWhatThePeerCouldNotTakeAtTheMoment) {
    EXPECT_GE(offers("rate-limited: slow down"), 3);
    EXPECT_GE(offers("error: this relay cannot store now"), 3);
    EXPECT_EQ(offers("blocked: not for me"), 1);
}

Task<> offer_many(World& world, OddRelay& relay, Follower& follower, std::size_t count) {
    const auto now = world.now();
    // The later of the series, the older.
    co_await put_all(*follower.store, series(now, 0, static_cast<std::uint16_t>(count)), now);
    world.loop.group.spawn("odd relay", relay.run());
    world.loop.group.spawn("network", follower.network->run());
    co_await until([&] { return relay.order.size() == count; });
    EXPECT_TRUE(std::is_sorted(relay.order.begin(), relay.order.end(), std::greater<>()));
}

TEST(Replication, OffersTheNewestFirst) {
    World world;
    OddRelay relay(world);
    relay.to_neg_open = R"(["NEG-MSG","$","6100000200"])";
    Follower follower(world, {relay.url()});
    world.loop.run(offer_many(world, relay, follower, 200));
}

Task<> offer_to_full(World& world, OddRelay& relay, Follower& follower, std::size_t count) {
    co_await put_all(*follower.store, series(world.now(), 0, static_cast<std::uint16_t>(count)), world.now());
    world.loop.group.spawn("odd relay", relay.run());
    world.loop.group.spawn("network", follower.network->run());
    const auto distinct = [&] { return std::set<UnixTime>(relay.order.begin(), relay.order.end()).size(); };
    co_await until([&] { return relay.opened >= 2; });
    EXPECT_LT(relay.offered, 400) << "a run ends when enough has been turned away";
    co_await until([&] { return distinct() == count; });
    EXPECT_LT(relay.offered, 1'600) << "each had its turn before any had many";
    co_await until([&] { return std::count(relay.order.begin(), relay.order.end(), relay.order.front()) == 2; });
}

TEST(Replication, OffersToAPeerWithoutRoomGoRoundAllRecords) {
    World world;
    OddRelay relay(world);
    relay.to_neg_open = R"(["NEG-MSG","$","6100000200"])";
    relay.to_event = "rate-limited: the record store is full";
    Follower follower(world, {relay.url()}, milliseconds(10));
    world.loop.run(offer_to_full(world, relay, follower, 900));
}

Task<> room_later(World& world, TestRelay& relay, Follower& follower) {
    // In the follower's small store ten records that live for an hour, of which the peer knows nothing.
    co_await put_all(*follower.store, series(world.now(), 0, 10), world.now());
    auto theirs = series(world.now() + seconds(55), 10, 20);
    co_await put_all(*relay.store, std::move(theirs), world.now());
    world.loop.group.spawn("network", follower.network->run());
    co_await until([&] { return relay.server->connections() > 0; });
    co_await until_it_has(relay.hub, 20);
    const auto before = co_await content_of(follower.hub);
    EXPECT_EQ(before.size(), 10U) << "there was no room";
    world.clock.advance(seconds(3'602));
    co_await until_it_has(follower.hub, 10);
}

Task<> ask_all(World& world, OddRelay& relay, Follower& follower) {
    co_await put_all(*follower.store, series(world.now(), 0, 10), world.now());
    relay.stored = series(world.now(), 10, 610);
    std::string ids;
    for (const auto& record : relay.stored) ids += record->event().id.hex();
    relay.to_neg_open = R"(["NEG-MSG","$","610000028458)" + ids + R"("])";  // 600 of them
    world.loop.group.spawn("odd relay", relay.run());
    world.loop.group.spawn("network", follower.network->run());
    co_await until([&] { return relay.opened == 2; });
    EXPECT_LT(relay.asked.size(), 400U) << "a run ends when enough has been turned away";
    co_await until([&] { return relay.asked.size() == 600; });
    EXPECT_LT(relay.queries, 8);
}

TEST(Replication, AFullStoreAsksForAllRecordsInTurn) {
    World world;
    OddRelay relay(world);
    StoreLimits small;
    small.records = 10;
    Follower follower(world, {relay.url()}, milliseconds(50), milliseconds(10'000), {}, small);
    world.loop.run(ask_all(world, relay, follower));
}

TEST(Replication, AsksAgainForWhatThereWasNoRoomFor) {
    World world;
    TestRelay relay(world);
    relay.start();
    StoreLimits small;
    small.records = 10;
    Follower follower(world, {relay.url()}, milliseconds(20), milliseconds(10'000), {}, small);
    world.loop.run(room_later(world, relay, follower));
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
        Follower follower(world, {relay.url()}, milliseconds(5));
        world.loop.run(babble(world, relay, follower));
    }
}

}  // namespace
}  // namespace myst::db::test
