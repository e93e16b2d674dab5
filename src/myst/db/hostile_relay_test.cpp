// A relay that lies, against the client.
#include <gmock/gmock.h>

#include "myst/db/lying_relay.hpp"

namespace myst::db::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<codec::Filter> proposals() {
    std::vector<codec::Filter> filters(1);
    filters[0].kinds = {kProposalKind};
    return filters;
}

Task<> collect(RelayClient& client, std::vector<Hash32>& got, std::size_t wanted) {
    const auto subscription =
        client.subscribe(proposals(), [&](const SharedRecord& record) { got.push_back(record->event().id); });
    co_await until([&] { return got.size() >= wanted; });
}

TEST(HostileRelay, OnlyGenuineMatchingRecordsGetThrough) {
    World world;
    LyingRelay relay(world);
    const auto genuine = make_proposal(key_of(1), world.now());
    const auto second = make_proposal(key_of(5), world.now());
    auto forged = make_proposal(key_of(2), world.now());
    forged.content += " ";
    auto unsigned_event = make_proposal(key_of(3), world.now());
    unsigned_event.sig = {};
    const auto unasked = make_event(key_of(4), 1, world.now());
    relay.answers = {event_text(forged),
                     event_text(unsigned_event),
                     event_text(unasked),
                     "nonsense",
                     "",
                     R"(["EOSE"])",
                     R"(["OK","zz",true])",
                     R"(["EVENT","$",null])",
                     encode_relay_event("another name", codec::to_json(genuine)),
                     event_text(genuine),
                     event_text(genuine),
                     event_text(second)};
    RelayClient client(world.loop.executor(), world.clock, world.rng, world.workers, quick_client(relay.url()));
    world.loop.group.spawn("liar", relay.run());
    world.loop.group.spawn("client", client.run());
    std::vector<Hash32> got;
    world.loop.run(collect(client, got, 2));
    EXPECT_THAT(got, ElementsAre(genuine.id, second.id));
}

Task<> disconnected(LyingRelay& relay, RelayClient& client) {
    const auto subscription = client.subscribe(proposals(), [](const SharedRecord&) { ADD_FAILURE(); });
    co_await until([&] { return relay.connections >= 2; });
    co_await until([&] { return !client.connected(); });
    EXPECT_THAT(client.status().last_error, HasSubstr("forged"));
}

TEST(HostileRelay, IsDisconnectedAfterManyForgeries) {
    World world;
    LyingRelay relay(world);
    auto forged = make_proposal(key_of(2), world.now());
    forged.content += " ";
    relay.answers = std::vector<std::string>(20, event_text(forged));
    RelayClient client(world.loop.executor(), world.clock, world.rng, world.workers, quick_client(relay.url()));
    world.loop.group.spawn("liar", relay.run());
    world.loop.group.spawn("client", client.run());
    world.loop.run(disconnected(relay, client));
}

Task<> refused_subscription(LyingRelay& relay, RelayClient& client) {
    const auto subscription = client.subscribe(proposals(), [](const SharedRecord&) {});
    co_await until([&] { return relay.connections >= 2; });
    auto found = co_await client.query(proposals(), 10);
    EXPECT_FALSE(found);
}

TEST(HostileRelay, ARefusedSubscriptionIsTriedAgain) {
    World world;
    LyingRelay relay(world);
    relay.answers = {R"(["CLOSED","$","error: not today"])"};
    RelayClient client(world.loop.executor(), world.clock, world.rng, world.workers, quick_client(relay.url()));
    world.loop.group.spawn("liar", relay.run());
    world.loop.group.spawn("client", client.run());
    world.loop.run(refused_subscription(relay, client));
}

Task<> endless_answer(RelayClient& client) {
    auto found = co_await client.query(proposals(), 2);
    EXPECT_TRUE(found) << found.error().message;
    if (found) {
        EXPECT_EQ(found->size(), 2U);
    }
}

TEST(HostileRelay, AnAnswerIsNeverLongerThanAsked) {
    World world;
    LyingRelay relay(world);
    for (std::uint8_t i = 1; i <= 5; ++i) relay.answers.push_back(event_text(make_proposal(key_of(i), world.now())));
    relay.answers.push_back(encode_eose("$"));
    RelayClient client(world.loop.executor(), world.clock, world.rng, world.workers, quick_client(relay.url()));
    world.loop.group.spawn("liar", relay.run());
    world.loop.group.spawn("client", client.run());
    world.loop.run(endless_answer(client));
}

}  // namespace
}  // namespace myst::db::test
