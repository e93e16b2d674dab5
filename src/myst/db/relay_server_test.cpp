#include "myst/db/relay_server.hpp"

#include <gmock/gmock.h>

#include <boost/asio/ip/tcp.hpp>

#include "myst/db/relay_fixtures.hpp"
#include "myst/sys/http_client.hpp"

namespace myst::db::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<codec::Filter> proposals() {
    std::vector<codec::Filter> filters(1);
    filters[0].kinds = {kProposalKind};
    return filters;
}

std::string ok(const codec::Event& event) {
    return encode_ok(event.id, true, "");
}

std::string event_for(const std::string& name, const codec::Event& event) {
    return encode_relay_event(name, codec::to_json(event));
}

class RelayServerTest : public ::testing::Test {
protected:
    World world;
};

Task<> publish_and_follow(World& world, TestRelay& relay) {
    const auto first = make_proposal(key_of(1), world.now());
    const auto second = make_proposal(key_of(2), world.now() + seconds(1));
    auto reader = co_await dial(relay.url());
    auto writer = co_await dial(relay.url());
    co_await say(reader.get(), encode_req("live", proposals()));
    co_await expect_text(reader.get(), encode_eose("live"));
    co_await say(writer.get(), encode_event(codec::to_json(first)));
    co_await expect_text(writer.get(), ok(first));
    co_await expect_text(reader.get(), event_for("live", first));
    co_await say(writer.get(), encode_event(codec::to_json(first)));
    co_await expect_part(writer.get(), ",true,\"duplicate: ");
    co_await say(reader.get(), encode_close("live"));
    co_await say(reader.get(), encode_req("again", proposals()));
    co_await expect_text(reader.get(), event_for("again", first));  // and not the duplicate under the old name
    co_await expect_text(reader.get(), encode_eose("again"));
    co_await say(writer.get(), encode_event(codec::to_json(second)));
    co_await expect_text(reader.get(), event_for("again", second));
}

TEST_F(RelayServerTest, StoresAnswersAndFollows) {
    TestRelay relay(world);
    relay.start();
    world.loop.run(publish_and_follow(world, relay));
}

Task<> ephemeral_records(World& world, TestRelay& relay) {
    const auto recipient = key_of(2).node_key();
    const auto envelope = make_envelope(key_of(1), recipient, world.now(), "sealed");
    auto reader = co_await dial(relay.url());
    auto writer = co_await dial(relay.url());
    co_await say(reader.get(), encode_req("mine", envelopes_to(recipient)));
    co_await expect_text(reader.get(), encode_eose("mine"));
    const auto foreign = make_envelope(key_of(1), key_of(3).node_key(), world.now(), "sealed");
    co_await say(writer.get(), encode_event(codec::to_json(foreign)));
    co_await expect_text(writer.get(), ok(foreign));
    co_await say(writer.get(), encode_event(codec::to_json(envelope)));
    co_await expect_text(writer.get(), ok(envelope));
    co_await expect_text(reader.get(), event_for("mine", envelope));  // and not the one to somebody else
    co_await say(reader.get(), encode_req("later", envelopes_to(recipient)));
    co_await expect_text(reader.get(), encode_eose("later"));
}

TEST_F(RelayServerTest, PassesEphemeralRecordsOnAndForgetsThem) {
    TestRelay relay(world);
    relay.start();
    world.loop.run(ephemeral_records(world, relay));
}

Task<> bad_messages(World& world, TestRelay& relay) {
    auto client = co_await dial(relay.url());
    auto forged = make_proposal(key_of(1), world.now());
    forged.sig = make_proposal(key_of(2), world.now()).sig;
    co_await say(client.get(), encode_event(codec::to_json(forged)));
    co_await expect_part(client.get(), ",false,\"invalid: the event's signature");
    auto refused = make_event(key_of(1), 1, world.now());
    co_await say(client.get(), encode_event(codec::to_json(refused)));
    co_await expect_part(client.get(), ",false,\"blocked: ");
    const std::vector<std::string> hostile = {"",
                                              "{",
                                              "null",
                                              R"(["EVENT",{"id":1}])",
                                              R"(["EVENT",)" + std::string(60'000, '[') + "]",
                                              R"(["REQ","x",)" + std::string(30, '[') + std::string(30, ']') + "]",
                                              R"(["COUNT","x",{}])"};
    for (const auto& text : hostile) {
        co_await say(client.get(), text);
        const auto reply = co_await hear(client.get());
        EXPECT_TRUE(reply.starts_with("[\"NOTICE\"") || reply.starts_with("[\"CLOSED\"")) << reply;
    }
    const auto good = make_proposal(key_of(1), world.now());
    co_await say(client.get(), encode_event(codec::to_json(good)));
    co_await expect_text(client.get(), ok(good));
}

TEST_F(RelayServerTest, RefusesForgeriesAndNonsenseAndGoesOn) {
    TestRelay relay(world);
    relay.start();
    world.loop.run(bad_messages(world, relay));
}

Task<> oversize(TestRelay& relay) {
    auto client = co_await dial(relay.url());
    co_await say(client.get(), std::string(128 * 1024 + 1, ' '));
    co_await expect_start(client.get(), "closed: ");
    co_await until([&] { return relay.server->connections() == 0; });
}

TEST_F(RelayServerTest, AnOversizeMessageEndsTheConnection) {
    TestRelay relay(world);
    relay.start();
    world.loop.run(oversize(relay));
}

Task<> many_subscriptions(TestRelay& relay) {
    auto client = co_await dial(relay.url());
    for (const char* name : {"a", "b", "b"}) {
        co_await say(client.get(), encode_req(name, proposals()));
        co_await expect_text(client.get(), encode_eose(name));
    }
    co_await say(client.get(), encode_req("c", proposals()));
    co_await expect_start(client.get(), R"(["CLOSED","c","rate-limited: )");
    co_await say(client.get(), encode_close("a"));
    co_await say(client.get(), encode_req("c", proposals()));
    co_await expect_text(client.get(), encode_eose("c"));
    EXPECT_EQ(relay.hub.followers(), 2U);
}

TEST_F(RelayServerTest, LimitsSubscriptions) {
    RelayLimits limits;
    limits.subscriptions = 2;
    TestRelay relay(world, limits);
    relay.start();
    world.loop.run(many_subscriptions(relay));
}

Task<> many_connections(TestRelay& relay) {
    auto first = co_await dial(relay.url());
    auto second = co_await dial(relay.url());
    const WebSocketSettings settings;
    auto attempt = connect_web_socket(relay.url(), settings);
    auto refused = co_await std::move(attempt);
    EXPECT_FALSE(refused);
    first.reset();
    co_await until([&] { return relay.server->connections() == 1; });
    auto third = co_await dial(relay.url());
    EXPECT_TRUE(third);
}

TEST_F(RelayServerTest, LimitsConnectionsPerAddress) {
    RelayLimits limits;
    limits.connections_per_ip = 2;
    TestRelay relay(world, limits);
    relay.start();
    world.loop.run(many_connections(relay));
}

/// Asks for a WebSocket as a reverse proxy does; the answer's status, and the connection to keep.
Task<std::pair<int, std::shared_ptr<asio::ip::tcp::socket>>> dial_for(World& world, TestRelay& relay,
                                                                      std::string headers) {
    namespace ip = asio::ip;
    auto socket = std::make_shared<ip::tcp::socket>(world.loop.executor());
    const ip::tcp::endpoint endpoint(ip::address_v4::loopback(), relay.server->local_port());
    co_await socket->async_connect(endpoint, asio::use_awaitable);
    const std::string request =
        "GET / HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        headers + "\r\n";
    const auto whole = asio::buffer(request);
    co_await socket->async_send(whole, asio::use_awaitable);
    std::string answer(512, '\0');
    const auto place = asio::buffer(answer);
    const auto size = co_await socket->async_receive(place, asio::use_awaitable);
    EXPECT_GE(size, 12U);
    co_return std::make_pair(std::atoi(answer.c_str() + 9), std::move(socket));
}

Task<> proxied_clients(World& world, TestRelay& relay) {
    const std::string first = "X-Forwarded-For: 11.0.0.1\r\n";
    const std::string spoofed = "X-Forwarded-For: 11.0.0.9\r\nX-Forwarded-For: 11.0.0.8, 11.0.0.1\r\n";
    const std::string second = "x-forwarded-for: 11.0.0.2 \r\n";
    const std::vector<std::pair<std::string, int>> table = {{first, 101}, {spoofed, 101}, {first, 503}, {second, 101},
                                                            {"", 101},    {"", 101},      {"", 503}};
    std::vector<std::shared_ptr<asio::ip::tcp::socket>> kept;
    for (const auto& [headers, expected] : table) {
        auto [status, socket] = co_await dial_for(world, relay, headers);
        EXPECT_EQ(status, expected) << headers << kept.size();
        if (status == 101) kept.push_back(std::move(socket));
    }
    kept.front().reset();
    co_await until([&] { return relay.server->connections() == 4; });
    const auto [status, socket] = co_await dial_for(world, relay, first);
    EXPECT_EQ(status, 101) << "its place is free again";
}

TEST_F(RelayServerTest, BehindATrustedProxyTheLimitCountsItsClients) {
    RelayLimits limits;
    limits.connections_per_ip = 2;
    TestRelay relay(world, limits, 0, true);
    relay.start();
    world.loop.run(proxied_clients(world, relay));
}

Task<> claimed_origins(World& world, TestRelay& relay) {
    const auto first = co_await dial_for(world, relay, "X-Forwarded-For: 11.0.0.1\r\n");
    EXPECT_EQ(first.first, 101);
    const auto second = co_await dial_for(world, relay, "X-Forwarded-For: 11.0.0.2\r\n");
    EXPECT_EQ(second.first, 503);
}

TEST_F(RelayServerTest, WithoutATrustedProxyNobodyChoosesHisOrigin) {
    RelayLimits limits;
    limits.connections_per_ip = 1;
    TestRelay relay(world, limits);
    relay.start();
    world.loop.run(claimed_origins(world, relay));
}

TEST_F(RelayServerTest, LimitsConnectionsInAll) {
    RelayLimits limits;
    limits.connections = 2;
    TestRelay relay(world, limits);
    relay.start();
    world.loop.run(many_connections(relay));
}

/// The subscriber reads nothing until 300 envelopes of 60 kB, more than any socket buffer, have been handed on.
Task<> slow_consumer(World& world, TestRelay& relay) {
    const auto recipient = key_of(2).node_key();
    auto slow = co_await dial(relay.url());
    co_await say(slow.get(), encode_req("mine", envelopes_to(recipient)));
    co_await expect_text(slow.get(), encode_eose("mine"));
    for (int i = 0; i < 300; ++i) {
        const auto content = std::to_string(i) + std::string(60'000, 'x');
        auto record = Record::verify(make_envelope(key_of(1), recipient, world.now(), content));
        EXPECT_TRUE(record);
        auto receipt = co_await relay.hub.submit(std::move(*record));
        EXPECT_TRUE(receipt.accepted);
    }
    std::string last;
    do {
        last = co_await hear(slow.get());
    } while (!last.starts_with("closed: "));
    EXPECT_THAT(last, HasSubstr("slow consumer"));
    co_await until([&] { return relay.server->connections() == 0; });
    EXPECT_EQ(relay.hub.followers(), 0U);
}

TEST_F(RelayServerTest, ASlowConsumerIsClosedWithAReason) {
    TestRelay relay(world);
    relay.start();
    world.loop.run(slow_consumer(world, relay));
}

/// More stored records than the queue holds: the relay waits for the reader instead of closing.
Task<> long_answer(World& world, TestRelay& relay) {
    constexpr int kRecords = 100;
    for (int i = 0; i < kRecords; ++i) {
        const auto name = std::string(4'000, 'x');
        auto record = Record::verify(make_proposal(key_of(static_cast<std::uint8_t>(i + 1)), world.now(), "DE", name));
        EXPECT_TRUE(record);
        auto receipt = co_await relay.hub.submit(std::move(*record));
        EXPECT_TRUE(receipt.accepted) << receipt.message;
    }
    auto client = co_await dial(relay.url());
    co_await say(client.get(), encode_req("all", proposals()));
    for (int i = 0; i < kRecords; ++i) co_await expect_start(client.get(), "[\"EVENT\",\"all\"");
    co_await expect_text(client.get(), encode_eose("all"));
}

TEST_F(RelayServerTest, ALongAnswerDoesNotOverflowTheQueue) {
    RelayLimits limits;
    limits.outgoing_messages = 8;
    TestRelay relay(world, limits);
    relay.start();
    world.loop.run(long_answer(world, relay));
}

Task<> burst(TestRelay& relay) {
    auto client = co_await dial(relay.url());
    const auto began = std::chrono::steady_clock::now();
    for (int i = 0; i < 10; ++i) co_await say(client.get(), "x");
    for (int i = 0; i < 10; ++i) co_await expect_start(client.get(), "[\"NOTICE\"");
    EXPECT_GE(std::chrono::steady_clock::now() - began, milliseconds(75)) << "8 messages beyond the burst at 100/s";
}

TEST_F(RelayServerTest, AQuickClientIsReadMoreSlowly) {
    RelayLimits limits;
    limits.burst = 2;
    limits.messages_per_second = 100;
    TestRelay relay(world, limits);
    relay.start();
    world.loop.run(burst(relay));
}

Task<> mute_client(World& world, TestRelay& relay) {
    namespace ip = asio::ip;
    ip::tcp::socket mute(world.loop.executor());
    const ip::tcp::endpoint endpoint(ip::address_v4::loopback(), relay.server->local_port());
    co_await mute.async_connect(endpoint, asio::use_awaitable);
    co_await until([&] { return relay.server->connections() == 1; });
    co_await until([&] { return relay.server->connections() == 0; });
}

TEST_F(RelayServerTest, DropsAClientThatAsksForNothing) {
    RelayLimits limits;
    limits.handshake_timeout = milliseconds(200);
    TestRelay relay(world, limits);
    relay.start();
    world.loop.run(mute_client(world, relay));
}

/// Reads nothing, so it does not answer pings either.
Task<> deaf_client(TestRelay& relay) {
    const auto deaf = co_await dial(relay.url());
    EXPECT_EQ(relay.server->connections(), 1U);
    co_await until([&] { return relay.server->connections() == 0; });
}

TEST_F(RelayServerTest, DropsAClientThatDoesNotAnswerPings) {
    RelayLimits limits;
    limits.idle_timeout = milliseconds(200);
    TestRelay relay(world, limits);
    relay.start();
    world.loop.run(deaf_client(relay));
}

/// 18 MB, more than the socket buffers of both ends hold, to a subscriber that never reads again.
Task<> stuck_consumer(World& world, TestRelay& relay) {
    const auto recipient = key_of(2).node_key();
    auto stuck = co_await dial(relay.url());
    co_await say(stuck.get(), encode_req("mine", envelopes_to(recipient)));
    co_await expect_text(stuck.get(), encode_eose("mine"));
    for (int i = 0; i < 300; ++i) {
        const auto content = std::to_string(i) + std::string(60'000, 'x');
        auto record = Record::verify(make_envelope(key_of(1), recipient, world.now(), content));
        EXPECT_TRUE(record);
        auto receipt = co_await relay.hub.submit(std::move(*record));
        EXPECT_TRUE(receipt.accepted);
    }
    EXPECT_EQ(relay.server->connections(), 1U) << "the queue holds everything";
    co_await until([&] { return relay.server->connections() == 0; });
}

TEST_F(RelayServerTest, AConsumerThatNeverReadsIsDropped) {
    RelayLimits limits;
    limits.outgoing_bytes = 64 * 1024 * 1024;
    limits.write_timeout = milliseconds(200);
    TestRelay relay(world, limits);
    relay.start();
    world.loop.run(stuck_consumer(world, relay));
}

Task<> costly_filters(TestRelay& relay) {
    auto client = co_await dial(relay.url());
    std::vector<codec::Filter> filters(1);
    filters[0].kinds = std::vector<std::uint32_t>(6, kProposalKind);
    co_await say(client.get(), encode_req("a", filters));
    co_await expect_text(client.get(), encode_eose("a"));
    co_await say(client.get(), encode_req("b", filters));
    co_await expect_start(client.get(), R"(["CLOSED","b","rate-limited: too many filter values)");
    co_await say(client.get(), encode_req("a", filters));
    co_await expect_text(client.get(), encode_eose("a"));
}

TEST_F(RelayServerTest, LimitsTheCostOfSubscriptions) {
    RelayLimits limits;
    limits.filter_values = 20;
    TestRelay relay(world, limits);
    relay.start();
    world.loop.run(costly_filters(relay));
}

Task<> information(TestRelay& relay) {
    sys::HttpRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(relay.server->local_port()) + "/";
    request.headers = {{"Accept", "application/nostr+json"}};
    auto answer = co_await sys::http_request(request);
    EXPECT_TRUE(answer) << answer.error().message;
    if (!answer) co_return;
    EXPECT_EQ(answer->status, 200U);
    EXPECT_EQ(answer->header("Content-Type"), "application/nostr+json");
    EXPECT_EQ(answer->header("Access-Control-Allow-Origin"), "*");
    for (const char* part :
         {R"("software":"mysterium")", R"("supported_nips":[1,9,11,13,40,65,77])", R"("version":)",
          R"("max_message_length":131072)", R"("max_subscriptions":16)", R"({"kinds":[30510],"time":86400})",
          R"({"kinds":[5],"time":31536000})", R"({"kinds":[30511],"time":31536000})",
          R"({"kinds":[10510],"time":86400})", R"({"kinds":[10511],"time":null})",
          R"({"kinds":[10002],"time":31536000})", R"("auth_required":false)"}) {
        EXPECT_THAT(answer->body, HasSubstr(part));
    }
    EXPECT_THAT(answer->body, Not(HasSubstr("pubkey"))) << "it must not name the operator";
    request.headers.clear();
    answer = co_await sys::http_request(request);
    EXPECT_TRUE(answer);
    if (answer) {
        EXPECT_EQ(answer->status, 426U);
    }
}

TEST(RelayInformation, TellsWhatTheSettingsAdd) {
    AdmissionPolicy policy;
    policy.min_pow_bits = 20;
    policy.kinds.push_back(codec::kGiftWrapKind);
    const auto text = relay_information({}, {}, policy, {*RelayUrl::parse("wss://relay.example"), true});
    for (const char* part : {R"("supported_nips":[1,9,11,13,40,42,59,65,77])", R"("min_pow_difficulty":20)",
                             R"({"kinds":[1059],"time":604800})", R"("restricted_writes":true)"}) {
        EXPECT_THAT(text, HasSubstr(part));
    }
    const auto plain = relay_information({}, {}, AdmissionPolicy{}, {});
    for (const char* part : {"min_pow_difficulty", "1059", "42"}) EXPECT_THAT(plain, Not(HasSubstr(part)));
}

TEST_F(RelayServerTest, DescribesItself) {
    TestRelay relay(world);
    relay.start();
    world.loop.run(information(relay));
}

Task<> number_passed_on(TestRelay& relay, SelfCheck& check) {
    relay.start();
    const auto id = check.begin();
    sys::HttpRequest request;
    request.url = "http://127.0.0.1:" + std::to_string(relay.server->local_port());
    request.headers = {{std::string(kConnectionHeader), id}};
    auto answer = co_await sys::http_request(request);
    EXPECT_TRUE(answer);
    if (answer) {
        EXPECT_EQ(answer->status, 503U);
        EXPECT_EQ(answer->header("Retry-After"), "30");
    }
    EXPECT_TRUE(check.end(id)) << "the node itself knows";
}

TEST_F(RelayServerTest, NobodyElseLearnsThatANodeHasCalledItself) {
    auto check = std::make_shared<SelfCheck>(world.rng);
    TestRelay relay(world, {}, 0, false, {}, {}, check);
    world.loop.run(number_passed_on(relay, *check));
}

TEST_F(RelayServerTest, AnAddressInUseIsExplained) {
    TestRelay relay(world);
    RelayServer::Settings settings;
    settings.address = "127.0.0.1";
    settings.port = relay.server->local_port();
    const auto second = RelayServer::open(world.loop.executor(), relay.hub, world.workers, world.clock, settings);
    ASSERT_FALSE(second);
    EXPECT_THAT(second.error().message, HasSubstr(std::to_string(settings.port)));
    EXPECT_FALSE(second.error().cure.empty());
    settings.address = "localhost";
    EXPECT_FALSE(RelayServer::open(world.loop.executor(), relay.hub, world.workers, world.clock, settings));
}

Task<> stop_while_serving(TestRelay& relay) {
    auto client = co_await dial(relay.url());
    co_await say(client.get(), encode_req("live", proposals()));
    co_await expect_text(client.get(), encode_eose("live"));
    co_await relay.stop();
    co_await expect_start(client.get(), "closed: ");
    EXPECT_EQ(relay.hub.followers(), 0U);
}

TEST_F(RelayServerTest, StoppingEndsEveryConnection) {
    TestRelay relay(world);
    relay.start();
    world.loop.run(stop_while_serving(relay));
}

}  // namespace
}  // namespace myst::db::test
