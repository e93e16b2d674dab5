// Envelopes to somebody with whom the node has no relay in common, and what the relays that are called for them can do.
#include <gmock/gmock.h>

#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include "myst/db/fake_relay.hpp"
#include "myst/db/full_network.hpp"
#include "myst/db/light_network.hpp"

namespace myst::db::test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr milliseconds kShort{50};
constexpr std::uint8_t kProvider = 1;
constexpr std::uint8_t kConsumer = 2;  ///< the node key, which nobody may see
constexpr std::uint8_t kThrowAway = 3;

EnvelopeCarrier::Settings anywhere() {
    EnvelopeCarrier::Settings settings;
    settings.scope = AddressScope::any;
    return settings;
}

ports::EnvelopeExchange question(World& world, std::vector<std::string> relays, milliseconds limit) {
    return {make_envelope(key_of(kThrowAway), key_of(kProvider).node_key(), world.now(), "let me in"),
            key_of(kThrowAway), std::move(relays),
            [](const codec::Event& event) { return event.pubkey == key_of(kProvider).node_key(); }, limit};
}

codec::Event answer_to(const NodeKey& consumer, UnixTime now) {
    return make_envelope(key_of(kProvider), consumer, now, "accepted");
}

/// Answers whatever comes to the provider's key.
struct Answerer {
    Answerer(World& world, ports::RecordNetwork& network) : world_(world), network_(network) {
        listening_ = network.subscribe(envelopes_to(key_of(kProvider).node_key()), [this](const codec::Event& event) {
            ++requests;
            world_.loop.group.spawn("answer", answer(answer_to(event.pubkey, world_.now())));
        });
    }
    Task<> answer(codec::Event event) {
        auto publishing = network_.publish(std::move(event));
        std::ignore = co_await std::move(publishing);
    }
    int requests = 0;

private:
    World& world_;
    ports::RecordNetwork& network_;
    std::unique_ptr<ports::Subscription> listening_;
};

/// A relay that says what a script tells it to, and notes what it hears.
struct ScriptedRelay {
    using Script = std::function<std::vector<std::string>(const std::string& heard)>;
    ScriptedRelay(World& world, Script chosen) : script(std::move(chosen)), acceptor(listen_on_loopback(world)) {
        world.loop.group.spawn("scripted relay", run(world));
    }
    Script script;
    asio::ip::tcp::acceptor acceptor;
    std::vector<std::string> greeting;
    std::vector<std::string> heard;
    std::vector<std::string> connection_ids;
    int gone = 0;  ///< connections that are over

    [[nodiscard]] std::string url() const { return url_of(acceptor).text(); }
    Task<> run(World& world) {
        for (;;) {
            auto socket = co_await acceptor.async_accept(asio::use_awaitable);
            world.loop.group.spawn("client of a scripted relay", serve(std::move(socket)));
        }
    }
    Task<> serve(asio::ip::tcp::socket socket) {
        detail::Admit admit = [this](const detail::Visitor& visitor) {
            connection_ids.push_back(visitor.connection_id);
            return detail::Welcome::come_in;
        };
        auto receiving = receive(std::move(socket), std::move(admit));
        const auto client = co_await std::move(receiving);
        if (!client) co_return;
        co_await talk(client.get());
        ++gone;
    }
    Task<> talk(WebSocket* client) {
        auto texts = greeting;
        for (;;) {
            for (auto& each : texts) {
                auto message = std::make_shared<const std::string>(std::move(each));
                auto written = co_await client->write(std::move(message));
                if (!written) co_return;
            }
            auto text = co_await client->read();
            if (!text) co_return;
            heard.push_back(*text);
            texts = script(*text);
        }
    }
};

/// The name in a REQ.
std::string name_in(const std::string& text) {
    return text.substr(8, text.find('"', 8) - 8);
}

/// What an honest relay says to the messages of a visit; to the envelope also `more`, under the name of the first
/// subscription.
ScriptedRelay::Script honest(std::function<std::vector<std::string>(const std::string& name)> more) {
    auto subscription = std::make_shared<std::string>();
    return [subscription, more = std::move(more)](const std::string& text) -> std::vector<std::string> {
        if (text.starts_with("[\"REQ\",")) {
            if (subscription->empty()) *subscription = name_in(text);
            return {encode_eose(name_in(text))};
        }
        if (!text.starts_with("[\"EVENT\",")) return {};
        auto texts = more(*subscription);
        constexpr std::string_view kId = "\"id\":\"";
        const auto id = text.substr(text.find(kId) + kId.size(), 64);
        texts.insert(texts.begin(), "[\"OK\",\"" + id + "\",true,\"\"]");
        return texts;
    };
}

/// A consumer whose only relay is not the provider's.
struct Consumer {
    explicit Consumer(World& world, EnvelopeCarrier::Settings envelopes = anywhere())
        : relay(world),
          network(world.loop.executor(), world.clock, world.rng, world.workers, quick_set({relay.url()}),
                  std::move(envelopes)) {
        relay.start();
        world.loop.group.spawn("light network", network.run());
    }
    TestRelay relay;
    LightNetwork network;
};

Task<> exchange(ports::RecordNetwork& network, ports::EnvelopeExchange exchange, Result<>* outcome) {
    auto exchanging = network.exchange(std::move(exchange));
    *outcome = co_await std::move(exchanging);
}

// --- no relay in common ---------------------------------------------------------------------------------------------

Task<> meet(ports::RecordNetwork& consumer, World& world, TestRelay& there, Answerer& provider) {
    co_await until([&] { return there.hub.followers() > 0; });
    Result<> outcome;
    auto wanted = question(world, {there.url().text()}, milliseconds(30'000));
    co_await exchange(consumer, std::move(wanted), &outcome);
    EXPECT_TRUE(outcome) << outcome.error().describe();
    EXPECT_EQ(provider.requests, 1);
    co_await until([&] { return there.hub.followers() == 1; });  // the visitor is gone, the provider stays
}

TEST(EnvelopeCarrier, TwoLightNodesAgreeAtTheProvidersRelay) {
    World world;
    TestRelay there(world);
    there.start();
    LightNetwork network(world.loop.executor(), world.clock, world.rng, world.workers, quick_set({there.url()}));
    world.loop.group.spawn("provider", network.run());
    Answerer provider(world, network);
    Consumer consumer(world);
    world.loop.run(meet(consumer.network, world, there, provider));
}

FullNetwork::Settings full_settings() {
    FullNetwork::Settings settings;
    settings.peers = quick_set({});
    settings.envelopes = anywhere();
    return settings;
}

TEST(EnvelopeCarrier, TwoFullNodesAgreeAtTheProvidersRelay) {
    World world;
    TestRelay there(world);
    there.start();
    FullNetwork network(world.loop.executor(), there.hub, world.clock, world.rng, world.workers, full_settings());
    world.loop.group.spawn("provider", network.run());
    Answerer provider(world, network);
    TestRelay here(world);
    FullNetwork consumer(world.loop.executor(), here.hub, world.clock, world.rng, world.workers, full_settings());
    world.loop.group.spawn("consumer", consumer.run());
    world.loop.run(meet(consumer, world, there, provider));
}

TEST(EnvelopeCarrier, ARelayThatWantsAProofGetsThatOfTheThrowAwayKey) {
    World world;
    const auto port = TestRelay(world).server->local_port();
    RelayAccess access;
    access.url = loopback_url(port);
    access.auth_for_mailboxes = true;
    TestRelay there(world, {}, port, false, access);
    there.start();
    FullNetwork network(world.loop.executor(), there.hub, world.clock, world.rng, world.workers, full_settings());
    world.loop.group.spawn("provider", network.run());
    Answerer provider(world, network);
    Consumer consumer(world);
    world.loop.run(meet(consumer.network, world, there, provider));
}

// --- what the relay learns --------------------------------------------------------------------------------------

Task<> learn(World& world, ScriptedRelay& relay, FullNetwork& consumer) {
    auto offer = make_proposal(key_of(kConsumer), world.now());
    auto publishing = consumer.publish(std::move(offer));
    std::ignore = co_await std::move(publishing);
    Result<> outcome;
    auto wanted = question(world, {relay.url()}, milliseconds(30'000));
    co_await exchange(consumer, std::move(wanted), &outcome);
    EXPECT_TRUE(outcome) << outcome.error().describe();
    co_await until([&] { return relay.gone == 1; });
}

TEST(EnvelopeCarrier, ARelayOfAnOfferLearnsNothingButTheThrowAwayKey) {
    World world;
    bool proven = false;
    auto open = honest([&](const std::string& name) -> std::vector<std::string> {
        const auto answer = answer_to(key_of(kThrowAway).node_key(), world.now());
        return {encode_relay_event(name, codec::to_json(answer))};
    });
    ScriptedRelay relay(world, [&](const std::string& text) -> std::vector<std::string> {
        proven = proven || text.starts_with("[\"AUTH\",");
        if (text.starts_with("[\"REQ\",") && !proven) return {encode_closed(name_in(text), "auth-required: who?")};
        return open(text);
    });
    relay.greeting = {encode_challenge("c0ffee")};
    auto keys = std::make_shared<ports::MailboxKeys>();
    const auto own = keys->hold(key_of(kConsumer));
    TestRelay here(world);
    auto settings = full_settings();
    settings.peers.client.mailboxes = keys;
    settings.peers.client.self_check = std::make_shared<SelfCheck>(world.rng);
    FullNetwork consumer(world.loop.executor(), here.hub, world.clock, world.rng, world.workers, settings);
    world.loop.group.spawn("consumer", consumer.run());
    const auto listening = consumer.subscribe(envelopes_to(key_of(kConsumer).node_key()), [](const codec::Event&) {});
    world.loop.run(learn(world, relay, consumer));
    EXPECT_THAT(relay.connection_ids, ElementsAre(IsEmpty()));
    EXPECT_THAT(relay.heard, Each(Not(HasSubstr(key_of(kConsumer).node_key().hex()))));
    const auto own_key = key_of(kThrowAway).node_key().hex();
    EXPECT_THAT(relay.heard, Contains(AllOf(StartsWith("[\"AUTH\","), HasSubstr(own_key))).Times(1));
    EXPECT_THAT(relay.heard, Contains(StartsWith("[\"EVENT\",")).Times(1));
    const auto first = [&](std::string_view beginning) {
        return std::find_if(relay.heard.rbegin(), relay.heard.rend(),
                            [&](const auto& text) { return text.starts_with(beginning); });
    };
    EXPECT_GT(first("[\"REQ\","), first("[\"EVENT\",")) << "it subscribes before it sends";
}

// --- relays that do not behave --------------------------------------------------------------------------------------

Task<> get(Consumer& consumer, ports::EnvelopeExchange wanted, Result<>* outcome) {
    co_await until([&] { return consumer.network.relays().front().connected; });
    co_await exchange(consumer.network, std::move(wanted), outcome);
}

/// Through the consumer's own relay and these.
Result<> outcome_with(World& world, Consumer& consumer, std::vector<std::string> relays, milliseconds limit) {
    Result<> outcome;
    world.loop.run(get(consumer, question(world, std::move(relays), limit), &outcome));
    return outcome;
}

/// The honest answer comes through the own relay, after the liar's.
Task<> answer_late(World& world, Consumer& consumer, ScriptedRelay& liar, ports::EnvelopeExchange wanted,
                   Result<>* outcome) {
    int seen = 0;
    wanted.is_answer = [&, inner = wanted.is_answer](const codec::Event& event) {
        EXPECT_EQ(event.content, "accepted") << "what is forged is not shown to anybody";
        ++seen;
        return inner(event);
    };
    const auto answer = answer_to(key_of(kThrowAway).node_key(), world.now());
    bool ended = false;
    const auto whole = [&]() -> Task<> {
        co_await get(consumer, std::move(wanted), outcome);
        ended = true;
    };
    world.loop.group.spawn("exchange", whole());
    co_await until([&] { return seen > 0; });
    auto given = co_await consumer.relay.hub.submit(Record::verify(answer).value());
    EXPECT_TRUE(given.accepted) << given.message;
    co_await until([&] { return ended; });
    EXPECT_EQ(seen, 2);
    co_await until([&] { return liar.gone == 1; });
}

TEST(EnvelopeCarrier, OneHonestRelayIsEnoughBesideSilentLyingAndRefusingOnes) {
    World world;
    auto silent = listen_on_loopback(world);
    auto forged = answer_to(key_of(kThrowAway).node_key(), world.now());
    forged.content = "come to another place";
    const auto misled = make_envelope(key_of(kProvider), key_of(kConsumer).node_key(), world.now(), "misled");
    const auto foreign = make_envelope(key_of(9), key_of(kThrowAway).node_key(), world.now(), "accepted");
    ScriptedRelay liar(world, honest([&](const std::string& name) -> std::vector<std::string> {
                           return {encode_relay_event(name, codec::to_json(forged)),
                                   encode_relay_event(name, codec::to_json(misled)), "nonsense",
                                   encode_relay_event(name, codec::to_json(foreign))};
                       }));
    ScriptedRelay refuser(world, [](const std::string&) -> std::vector<std::string> { return {"[\"NO\"]"}; });
    Consumer consumer(world);
    const auto place = url_of(silent).text();
    auto wanted = question(world, {place, liar.url(), refuser.url()}, milliseconds(30'000));
    Result<> outcome = fail(ErrorCode::internal, "not ended");
    world.loop.run(answer_late(world, consumer, liar, std::move(wanted), &outcome));
    EXPECT_TRUE(outcome) << outcome.error().describe();
}

TEST(EnvelopeCarrier, ALiarAloneGivesNoAnswer) {
    World world;
    auto forged = answer_to(key_of(kThrowAway).node_key(), world.now());
    forged.content = "come to another place";
    const auto misled = answer_to(key_of(kConsumer).node_key(), world.now());
    ScriptedRelay liar(
        world, honest([&](const std::string& name) -> std::vector<std::string> {
            return {encode_relay_event(name, codec::to_json(forged)), encode_relay_event(name, codec::to_json(misled))};
        }));
    Consumer consumer(world);
    const auto outcome = outcome_with(world, consumer, {liar.url()}, kShort);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, ErrorCode::timeout);
}

TEST(EnvelopeCarrier, ASilentRelayIsGivenUp) {
    World world;
    auto silent = listen_on_loopback(world);
    auto settings = anywhere();
    settings.step = kShort;
    LightNetwork alone(world.loop.executor(), world.clock, world.rng, world.workers, quick_set({}), settings);
    const auto url = url_of(silent).text();
    Result<> outcome;
    world.loop.run(exchange(alone, question(world, {url}, milliseconds(30'000)), &outcome));
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, ErrorCode::unavailable);
    EXPECT_THAT(outcome.error().message, HasSubstr(url));
}

/// The asker has left while his envelope was being signed off; then the network goes, too.
Task<> leave_early(World& world, std::unique_ptr<LightNetwork> network, std::string url) {
    Result<> outcome;
    TaskGroup asking(world.loop.executor());
    asking.spawn("exchange", exchange(*network, question(world, {std::move(url)}, milliseconds(30'000)), &outcome));
    asking.cancel();
    co_await asking.join();
    network.reset();
    // Nothing is left that would use it, however many steps it took to unwind.
    for (int i = 0; i < 100; ++i) co_await asio::post(world.loop.executor(), asio::use_awaitable);
}

TEST(EnvelopeCarrier, NothingIsLeftBehindWhenTheAskerLeaves) {
    World world;
    const asio::ip::tcp::acceptor silent(world.loop.context, {asio::ip::address_v4::loopback(), 0});
    auto network = std::make_unique<LightNetwork>(world.loop.executor(), world.clock, world.rng, world.workers,
                                                  quick_set({}), anywhere());
    const auto url = "ws://127.0.0.1:" + std::to_string(silent.local_endpoint().port());
    world.loop.run(leave_early(world, std::move(network), url));
}

/// Says more than it was asked, without an end.
Task<> flood(asio::ip::tcp::acceptor* acceptor, std::size_t* sent) {
    auto socket = co_await acceptor->async_accept(asio::use_awaitable);
    auto receiving = receive(std::move(socket));
    const auto client = co_await std::move(receiving);
    const auto notice = std::make_shared<const std::string>(encode_notice(std::string(1'000, 'x')));
    for (;;) {
        auto written = co_await client->write(notice);
        if (!written) co_return;
        *sent += notice->size();
    }
}

TEST(EnvelopeCarrier, AFloodEndsTheVisit) {
    World world;
    auto acceptor = listen_on_loopback(world);
    std::size_t sent = 0;
    world.loop.group.spawn("flood", flood(&acceptor, &sent));
    auto settings = anywhere();
    settings.step = milliseconds(30'000);
    Consumer consumer(world, settings);
    const auto url = url_of(acceptor).text();
    const auto outcome = outcome_with(world, consumer, {url}, kShort);
    ASSERT_FALSE(outcome);
    EXPECT_THAT(outcome.error().message, HasSubstr(url + ": it sent too much"));
    EXPECT_LT(sent, 16U * 1024 * 1024) << "what the sockets hold, and no more";
}

// --- where strangers may lead the node ------------------------------------------------------------------------------

Task<> redirect(asio::ip::tcp::acceptor* acceptor, std::string place) {
    auto socket = co_await acceptor->async_accept(asio::use_awaitable);
    std::string request;
    std::ignore = co_await asio::async_read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", no_throw);
    const std::string answer = "HTTP/1.1 301 Moved Permanently\r\nLocation: " + place + "\r\nContent-Length: 0\r\n\r\n";
    std::ignore = co_await asio::async_write(socket, asio::buffer(answer), no_throw);
    EXPECT_EQ(request.find("Cookie"), std::string::npos);
}

bool was_called(asio::ip::tcp::acceptor& acceptor) {
    acceptor.non_blocking(true);
    boost::system::error_code ec;
    std::ignore = acceptor.accept(ec);
    return !ec;
}

TEST(EnvelopeCarrier, ARedirectionLeadsNowhere) {
    World world;
    auto acceptor = listen_on_loopback(world);
    auto target = listen_on_loopback(world);
    const auto place = url_of(target).text();
    world.loop.group.spawn("redirecting", redirect(&acceptor, place));
    Consumer consumer(world);
    const auto url = url_of(acceptor).text();
    const auto outcome = outcome_with(world, consumer, {url}, kShort);
    ASSERT_FALSE(outcome);
    EXPECT_THAT(outcome.error().message, HasSubstr(url));
    EXPECT_FALSE(was_called(target));
}

/// Notes the hosts that were looked up, and gives the same addresses for all.
LookUp noting(std::vector<std::string>* hosts, std::vector<asio::ip::address> addresses) {
    return [hosts, addresses](std::string host) -> Task<Result<std::vector<asio::ip::address>>> {
        hosts->push_back(std::move(host));
        co_return addresses;
    };
}

TEST(EnvelopeCarrier, APrivateAddressIsNotCalled) {
    World world;
    auto near = listen_on_loopback(world);
    const auto port = std::to_string(near.local_endpoint().port());
    std::vector<std::string> hosts;
    EnvelopeCarrier::Settings settings;
    settings.look_up = noting(&hosts, {asio::ip::address_v4::loopback()});
    Consumer consumer(world, settings);
    const std::vector<std::string> relays = {"ws://127.0.0.1:" + port, "ws://relay.example:" + port,
                                             "ws://[::ffff:127.0.0.1]:" + port, "ws://mail.example.net:25"};
    const auto outcome = outcome_with(world, consumer, relays, kShort);
    ASSERT_FALSE(outcome);
    EXPECT_THAT(outcome.error().message, HasSubstr("ws://relay.example:" + port + ": it has no address"));
    EXPECT_THAT(hosts, ElementsAre("relay.example"));
    EXPECT_FALSE(was_called(near));
}

/// How many hosts are looked up for an offer with fifty relays, of which `name` gives the n-th.
template <class Name>
std::size_t looked_up_of_fifty(Name name) {
    World world;
    std::vector<std::string> hosts;
    EnvelopeCarrier::Settings settings;
    settings.look_up = noting(&hosts, {});
    Consumer consumer(world, settings);
    std::vector<std::string> many;
    for (int i = 0; i < 50; ++i) many.push_back(name(std::to_string(i)));
    EXPECT_FALSE(outcome_with(world, consumer, many, kShort));
    return hosts.size();
}

TEST(EnvelopeCarrier, FourRelaysOfAnOfferAreCalledAtMost) {
    EXPECT_EQ(looked_up_of_fifty([](const std::string& n) { return "wss://relay.example" + n + ".org"; }), 4U);
}

TEST(EnvelopeCarrier, OneRelayOfANetworkIsCalled) {
    EXPECT_EQ(looked_up_of_fifty([](const std::string& n) { return "wss://relay" + n + ".example.org"; }), 1U);
}

TEST(EnvelopeCarrier, ARelayThatIsConnectedIsNotCalledAgain) {
    World world;
    const auto nothing = [](const std::string&) { return std::vector<std::string>(); };
    ScriptedRelay shared(world, honest(nothing));
    LightNetwork network(world.loop.executor(), world.clock, world.rng, world.workers,
                         quick_set({RelayUrl::parse(shared.url()).value()}), anywhere());
    world.loop.group.spawn("light network", network.run());
    Result<> outcome;
    const auto whole = [&]() -> Task<> {
        co_await until([&] { return network.relays().front().connected; });
        auto wanted = question(world, {shared.url() + "/"}, kShort);
        co_await exchange(network, std::move(wanted), &outcome);
    };
    world.loop.run(whole());
    EXPECT_EQ(outcome.error().code, ErrorCode::timeout);
    EXPECT_THAT(shared.connection_ids, SizeIs(1));
}

}  // namespace
}  // namespace myst::db::test
