// The relay's side of set reconciliation, over a real connection.
#include <gmock/gmock.h>

#include "myst/db/negentropy.hpp"
#include "myst/db/relay_fixtures.hpp"

namespace myst::db::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

codec::Filter proposals() {
    codec::Filter filter;
    filter.kinds = {kProposalKind};
    return filter;
}

Task<> submit(RecordHub& hub, codec::Event event) {
    auto record = Record::verify(std::move(event));
    EXPECT_TRUE(record);
    auto receipt = co_await hub.submit(std::move(*record));
    EXPECT_TRUE(receipt.accepted) << receipt.message;
}

Task<> fill(World& world, TestRelay& relay, std::uint8_t count) {
    for (std::uint8_t i = 1; i <= count; ++i) {
        const auto event = make_proposal(key_of(i), world.now());
        co_await submit(relay.hub, event);
    }
}

std::string open_text(const std::string& name) {
    const SyncSet nothing({});
    return encode_neg_open(name, proposals(), sync_open(nothing));
}

Task<> converse(World& world, TestRelay& relay) {
    co_await fill(world, relay, 3);
    auto socket = co_await dial(relay.url());
    co_await say(socket.get(), open_text("n"));
    const auto text = co_await hear(socket.get());
    auto message = decode_relay_message(text, {});
    EXPECT_TRUE(message) << text;
    const SyncSet nothing({});
    const auto* answer = message ? std::get_if<NegMessage>(&*message) : nullptr;
    EXPECT_NE(answer, nullptr) << text;
    if (answer == nullptr) co_return;
    EXPECT_EQ(answer->name, "n");
    const auto step = sync_step(nothing, answer->message);
    EXPECT_TRUE(step);
    EXPECT_EQ(step->need.size(), 3U);
    EXPECT_FALSE(step->next);
    co_await say(socket.get(), encode_neg_message("n", sync_open(nothing)));
    co_await expect_text(socket.get(), text);
    co_await say(socket.get(), open_text("other"));
    co_await expect_text(socket.get(),
                         encode_neg_error("other", "blocked: too many reconciliations on this connection"));
    co_await say(socket.get(), open_text("n"));
    co_await expect_text(socket.get(), text);
    co_await say(socket.get(), encode_neg_close("n"));
    co_await say(socket.get(), encode_neg_message("n", sync_open(nothing)));
    co_await expect_text(socket.get(), encode_neg_error("n", "closed: there is no reconciliation of this id"));
    co_await say(socket.get(), open_text("other"));
    co_await expect_start(socket.get(), R"(["NEG-MSG","other",")");
    const Bytes nonsense{0x61, 0x00, 0x00, 0x07};
    co_await say(socket.get(), encode_neg_message("other", nonsense));
    co_await expect_text(socket.get(), encode_neg_error("other", "invalid: unknown mode"));
    co_await say(socket.get(), encode_neg_message("other", nonsense));
    co_await expect_start(socket.get(), R"(["NEG-ERR","other","closed: )");
}

TEST(RelaySync, AnswersAndForgets) {
    World world;
    TestRelay relay(world);
    relay.start();
    world.loop.run(converse(world, relay));
}

Task<> nonsense(TestRelay& relay) {
    auto socket = co_await dial(relay.url());
    co_await say(socket.get(), R"(["NEG-OPEN","n",{"kinds":[30510]},"6x"])");
    co_await expect_start(socket.get(), R"(["NEG-ERR","n","invalid: )");
    co_await say(socket.get(), R"(["NEG-OPEN","n",{"kinds":"x"},"6100000200"])");
    co_await expect_start(socket.get(), R"(["NEG-ERR","n","invalid: )");
    co_await say(socket.get(), R"(["NEG-OPEN","n",{"kinds":[30510]}])");
    co_await expect_start(socket.get(), R"(["NEG-ERR","n","invalid: )");
    co_await say(socket.get(), R"(["NEG-OPEN","",{},"6100000200"])");
    co_await expect_start(socket.get(), R"(["NOTICE","invalid: )");
    co_await say(socket.get(), R"(["NEG-OPEN","n",{"kinds":[30510]},"40"])");
    co_await expect_start(socket.get(), R"(["NEG-ERR","n","invalid: unknown protocol version)");
    co_await say(socket.get(), R"(["NEG-OPEN","n",{"kinds":[30510]},"62"])");
    const Bytes only_the_version{0x61};
    co_await expect_text(socket.get(), encode_neg_message("n", only_the_version));
}

TEST(RelaySync, RefusesNonsenseByName) {
    World world;
    TestRelay relay(world);
    relay.start();
    world.loop.run(nonsense(relay));
}

Task<> limits(World& world, TestRelay& relay) {
    co_await fill(world, relay, 4);
    auto first = co_await dial(relay.url());
    auto second = co_await dial(relay.url());
    co_await say(first.get(), open_text("a"));
    co_await expect_start(first.get(), R"(["NEG-MSG","a")");
    co_await say(second.get(), open_text("b"));
    co_await expect_text(second.get(), encode_neg_error("b", "blocked: too many reconciliations at the moment"));
    // The first is left alone, and what it held is free again.
    co_await expect_text(first.get(), encode_neg_error("a", "closed: you took too long to respond"));
    co_await say(second.get(), open_text("b"));
    co_await expect_start(second.get(), R"(["NEG-MSG","b")");
    second.reset();
    const auto fifth = make_proposal(key_of(5), world.now());
    co_await submit(relay.hub, fifth);
    co_await say(first.get(), open_text("a"));
    co_await expect_text(first.get(), encode_neg_error("a", "blocked: this query is too big"));
}

TEST(RelaySync, HoldsBoundedSetsForABoundedTime) {
    World world;
    RelayLimits few;
    few.sync_items = 4;
    few.sync_items_in_all = 7;
    few.sync_timeout = milliseconds(300);
    TestRelay relay(world, few);
    relay.start();
    world.loop.run(limits(world, relay));
}

}  // namespace
}  // namespace myst::db::test
