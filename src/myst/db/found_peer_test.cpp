// What a relay learns of a node that has found it in a record of a stranger.
#include <gmock/gmock.h>

#include "myst/base/at_exit.hpp"
#include "myst/db/fake_relay.hpp"
#include "myst/db/full_network.hpp"
#include "myst/db/node_record.hpp"
#include "myst/db/peer_fixtures.hpp"

namespace myst::db::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

/// Sends one client a challenge and notes all that the client says. Answers nothing by itself.
struct CuriousRelay {
    explicit CuriousRelay(World& world) : acceptor(listen_on_loopback(world)) {
        world.loop.group.spawn("curious relay", run());
    }
    asio::ip::tcp::acceptor acceptor;
    std::unique_ptr<WebSocket> client;
    std::vector<std::string> heard;

    [[nodiscard]] RelayUrl url() const { return url_of(acceptor); }
    Task<> run() {
        auto socket = co_await acceptor.async_accept(asio::use_awaitable);
        auto receiving = receive(std::move(socket));
        client = co_await std::move(receiving);
        EXPECT_TRUE(client);
        if (!client) co_return;
        const AtExit gone([this] { client.reset(); });
        co_await say(client.get(), encode_challenge("c0ffee"));
        for (;;) {
            auto text = co_await client->read();
            if (!text) co_return;
            heard.push_back(std::move(*text));
        }
    }
    [[nodiscard]] bool has_heard(std::string_view beginning) const {
        return std::any_of(heard.begin(), heard.end(), [&](const auto& text) { return text.starts_with(beginning); });
    }
};

std::vector<codec::Filter> mailbox() {
    return envelopes_to(key_of(1).node_key());
}

std::vector<codec::Filter> proposals() {
    codec::Filter filter;
    filter.kinds = {kProposalKind};
    return {filter};
}

Task<> meet(std::shared_ptr<RelayClient> client) {
    std::ignore = co_await client->connect_once();
}

Task<> publish_at(std::shared_ptr<RelayClient> client, SharedRecord record) {
    std::ignore = co_await client->publish(std::move(record));
}

Task<> join_set(World& world, CuriousRelay& relay, RelaySet& set) {
    world.loop.group.spawn("relays", set.run());
    set.keep(Record::verify(make_proposal(key_of(1), world.now())).value());
    const auto ignore = [](const SharedRecord&) {};
    const auto before = set.subscribe(mailbox(), ignore);
    const auto public_before = set.subscribe(proposals(), ignore);
    const auto client = set.add(quick_client(relay.url()), RelaySet::Trust::found);
    world.loop.group.spawn("connection", meet(client));
    co_await until([&] { return client->connected(); });
    const auto after = set.subscribe(mailbox(), ignore);
    const auto public_after = set.subscribe(proposals(), ignore);
    const auto own = Record::verify(make_proposal(key_of(3), world.now())).value();
    const auto report = co_await set.publish(own, RelaySet::Absent::skip);
    EXPECT_TRUE(report.accepted.empty() && report.rejected.empty()) << "nobody was asked";
    // Whatever has been sent to it came before this one.
    const auto last = Record::verify(make_proposal(key_of(2), world.now())).value();
    world.loop.group.spawn("publishing", publish_at(client, last));
    co_await until([&] { return relay.heard.size() == 3; });
    EXPECT_THAT(relay.heard, ElementsAre(StartsWith("[\"REQ\","), StartsWith("[\"REQ\","), encode_event(last->json())));
    EXPECT_THAT(relay.heard, Not(Contains(HasSubstr("20510"))));
}

TEST(FoundPeer, GetsNoOwnRecordsAndNoSubscriptionForEnvelopes) {
    World world;
    CuriousRelay relay(world);
    RelaySet set(world.loop.executor(), world.clock, world.rng, world.workers, quick_set({}));
    world.loop.run(join_set(world, relay, set));
}

Task<> be_found(World& world, CuriousRelay& relay, RecordHub& hub, FullNetwork& network) {
    world.loop.group.spawn("network", network.run());
    const auto following = network.subscribe(mailbox(), [](const codec::Event&) {});
    auto event = make_node_record(record_of({relay.url().text()}, world.now())).value();
    codec::sign_event(event, key_of(2), Hash32{});
    auto receipt = co_await hub.submit(Record::verify(event).value());
    EXPECT_TRUE(receipt.accepted) << receipt.message;
    // Subscriptions come first.
    co_await until([&] { return relay.has_heard("[\"NEG-OPEN\","); });
    const auto own = make_proposal(key_of(1), world.now());
    auto report = co_await network.publish(own);
    EXPECT_TRUE(report);
    if (report) {
        EXPECT_THAT(report->accepted, ElementsAre("local"));
    }
    co_await until([&] { return relay.has_heard("[\"EVENT\","); });
    EXPECT_THAT(relay.heard, Not(Contains(HasSubstr("20510"))));
    EXPECT_THAT(relay.heard, Contains(encode_event(codec::to_json(own)))) << "forwarded like everybody's";
}

TEST(FoundPeer, IsNotShownWhoseMailboxTheNodeReads) {
    World world;
    CuriousRelay relay(world);
    const auto store = open_store();
    RecordHub hub{*store, world.clock, AdmissionPolicy{}};
    FullNetwork::Settings settings;
    settings.peers = quick_set({});
    settings.found.wanted = 1;
    settings.found.book.scope = AddressScope::any;
    settings.found.look = milliseconds(10);
    FullNetwork network(world.loop.executor(), hub, world.clock, world.rng, world.workers, settings);
    world.loop.run(be_found(world, relay, hub, network));
}

Task<> ask_late(World& world, CuriousRelay& relay, RelayClient& client) {
    int got = 0;
    const auto first = client.subscribe(mailbox(), [&](const SharedRecord&) { ++got; });
    world.loop.group.spawn("client", client.run());
    co_await until([&] { return relay.heard.size() == 1; });
    // Its challenge has been read once what comes after it has been.
    const auto name = relay.heard[0].substr(8, relay.heard[0].find('"', 8) - 8);
    const auto envelope = make_envelope(key_of(3), key_of(1).node_key(), world.now(), "x");
    co_await say(relay.client.get(), encode_relay_event(name, codec::to_json(envelope)));
    co_await until([&] { return got == 1; });
    const auto second = client.subscribe(mailbox(), [](const SharedRecord&) {});
    co_await until([&] { return relay.heard.size() == 2; });
    EXPECT_THAT(relay.heard[1], StartsWith("[\"REQ\","));
    co_await say(relay.client.get(), encode_closed(name, "auth-required: prove it"));
    co_await until([&] { return relay.heard.size() == 4; });
    EXPECT_THAT(relay.heard[2], StartsWith("[\"AUTH\","));
    EXPECT_THAT(relay.heard[3], StartsWith("[\"REQ\",\"" + name));
}

TEST(RelayAuth, NoKeyIsProvenUnasked) {
    World world;
    CuriousRelay relay(world);
    auto keys = std::make_shared<ports::MailboxKeys>();
    const auto held = keys->hold(key_of(1));
    auto settings = quick_client(relay.url());
    settings.mailboxes = keys;
    RelayClient client(world.loop.executor(), world.clock, world.rng, world.workers, settings);
    world.loop.run(ask_late(world, relay, client));
}

}  // namespace
}  // namespace myst::db::test
