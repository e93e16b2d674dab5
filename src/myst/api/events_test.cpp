// The event stream: what it tells, whom it lets in, and how it ends.
#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include "myst/api/test_support/event_client.hpp"
#include "myst/api/test_support/running_server.hpp"
#include "myst/api/test_support/schema.hpp"
#include "myst/runtime/run_task.hpp"

namespace myst::api {
namespace {

namespace json = boost::json;
using test_support::departures;
using test_support::EventClient;
using test_support::openapi;
using test_support::request_text;
using test_support::RunningServer;
using test_support::send_raw;
using test_support::unlimited_settings;

/// The message as JSON; it has the documented schema.
json::object parsed(const std::string& text) {
    boost::system::error_code ec;
    const auto value = json::parse(text, ec);
    EXPECT_FALSE(ec) << text;
    if (ec) return {};
    const auto found = departures(value, openapi().at_pointer("/components/schemas/Event"));
    EXPECT_TRUE(found.empty()) << text << "\n" << found.front();
    return value.as_object();
}

/// Waits until nobody watches any more.
void expect_no_watch(const RunningServer& server) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (server.node.watches() > 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
    EXPECT_EQ(server.node.watches(), 0U);
}

/// The server ends the stream, having said why in an event of this code.
void expect_refused(EventClient& client, std::string_view code, std::string_view part, unsigned close_code = 1008) {
    const auto event = parsed(client.read_to_end());
    ASSERT_EQ(event.at("event"), "error");
    EXPECT_EQ(std::string(event.at("error").at("code").as_string()), code);
    const std::string message(event.at("error").at("message").as_string());
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_EQ(client.close_code(), close_code);
    EXPECT_NE(client.close_reason(), "");
}

TEST(Events, OffersAreToldAsTheyComeAndGo) {
    RunningServer server;
    EventClient client(server.port());
    ASSERT_EQ(client.status(), 101U);
    client.subscribe(R"({"country":"de","max_price_gib":"7"})");
    auto event = parsed(client.read());
    EXPECT_EQ(event.at("event"), "proposal");
    EXPECT_EQ(event.at("proposal").at("stake"), "5000000000000000000");
    EXPECT_EQ(parsed(client.read()).at("event"), "proposals_complete");
    EXPECT_EQ(server.node.last_filter().country, "DE");
    EXPECT_EQ(server.node.last_filter().max_per_gib, Amount(7));
    const auto provider = test_support::sample_proposal().provider;
    server.node.tell(node::OfferGone{provider, "wireguard"});
    event = parsed(client.read());
    EXPECT_EQ(event.at("event"), "proposal_gone");
    EXPECT_EQ(event.at("provider"), json::string(provider.hex()));
    EXPECT_EQ(event.at("service"), "wireguard");
    server.node.tell(test_support::sample_offer());
    EXPECT_EQ(parsed(client.read()).at("event"), "proposal");
}

TEST(Events, AFilterMayBeLeftOut) {
    RunningServer server;
    EventClient client(server.port());
    client.send(R"({"v":1,"subscribe":"proposals"})");
    EXPECT_EQ(parsed(client.read()).at("event"), "proposal");
}

TEST(Events, WhatIsNotUnderstoodIsNamedAndEndsTheStream) {
    RunningServer server;
    const std::pair<std::string, std::string_view> messages[] = {
        {"", "subscription"},
        {"hello", "subscription"},
        {"[]", "object"},
        {R"({"subscribe":"proposals"})", "v must be 1"},
        {R"({"v":2,"subscribe":"proposals"})", "v must be 1"},
        {R"({"v":1,"subscribe":"blocks"})", "subscribe"},
        {R"({"v":1,"subscribe":"proposals","colour":1})", "colour"},
        {R"({"v":1,"subscribe":"proposals","filter":[]})", "filter"},
        {R"({"v":1,"subscribe":"proposals","filter":{"colour":"red"}})", "colour"},
        {R"({"v":1,"subscribe":"proposals","filter":{"sort":"price"}})", "sort"},
        {R"({"v":1,"subscribe":"proposals","filter":{"country":5}})", "country"},
        {R"({"v":1,"subscribe":"proposals","filter":{"country":"DEU"}})", "country"},
        {R"({"v":1,"v":1,"subscribe":"proposals"})", "subscription"},
        {R"({"v":1,"subscribe":)" + std::string(100, '[') + std::string(100, ']') + "}", "subscription"},
    };
    for (const auto& [message, part] : messages) {
        SCOPED_TRACE(message);
        EventClient client(server.port());
        client.send(message);
        expect_refused(client, "invalid_argument", part);
    }
    EXPECT_EQ(server.node.watches(), 0U);
}

TEST(Events, ABinaryMessageEndsTheStream) {
    RunningServer server;
    EventClient client(server.port());
    client.send_binary(R"({"v":1,"subscribe":"proposals"})");
    expect_refused(client, "invalid_argument", "binary", 1003);
}

TEST(Events, AMessageThatIsTooLargeEndsTheStream) {
    RunningServer server;
    EventClient client(server.port());
    client.send(std::string(17 * 1024, ' '));
    EXPECT_EQ(client.read(), "");
    EXPECT_EQ(client.close_code(), 1009U);
}

TEST(Events, ASecondSubscriptionEndsTheStream) {
    RunningServer server;
    EventClient client(server.port());
    client.subscribe();
    EXPECT_NE(client.read(), "");
    client.subscribe();
    expect_refused(client, "limit_exceeded", "one subscription");
    expect_no_watch(server);
}

TEST(Events, WhatTheNodeRefusesIsSaid) {
    RunningServer server;
    server.node.fail_with(Error{ErrorCode::failed_precondition, "reputation is not known", "run a full node"});
    EventClient refused(server.port());
    refused.subscribe();
    expect_refused(refused, "failed_precondition", "reputation");
    server.node.fail_with({});
    EventClient broken(server.port());
    broken.subscribe();
    EXPECT_EQ(parsed(broken.read()).at("event"), "proposal");
    server.node.fail_with(Error{ErrorCode::unavailable, "no relay answers", ""});
    expect_refused(broken, "unavailable", "no relay", 1013);
}

TEST(Events, ASilentClientIsClosed) {
    auto settings = unlimited_settings();
    settings.events.subscribe_timeout = milliseconds(30);
    RunningServer server(settings);
    EventClient client(server.port());
    expect_refused(client, "timeout", "no subscription");
}

TEST(Events, AClientThatLeavesIsForgotten) {
    RunningServer server;
    {
        EventClient client(server.port());
        client.subscribe();
        EXPECT_NE(client.read(), "");
        EXPECT_EQ(server.node.watches(), 1U);
        client.leave();
    }
    expect_no_watch(server);
}

TEST(Events, AClientThatShowsNoSignOfLifeIsDropped) {
    auto settings = unlimited_settings();
    settings.events.idle_timeout = milliseconds(1000);  // pings go out after half a second, and nobody reads them
    RunningServer server(settings);
    EventClient client(server.port());
    client.subscribe();
    EXPECT_NE(client.read(), "");
    expect_no_watch(server);
}

TEST(Events, ASlowClientIsToldSo) {
    auto settings = unlimited_settings();
    settings.events.slow_limit = milliseconds(-1);  // every message takes longer
    RunningServer server(settings);
    EventClient client(server.port());
    client.subscribe();
    EXPECT_NE(client.read_to_end(), "");
    EXPECT_EQ(client.close_code(), 1008U);
    EXPECT_NE(client.close_reason().find("too slow"), std::string::npos);
    expect_no_watch(server);
}

TEST(Events, AClientThatDoesNotReadIsDropped) {
    auto settings = unlimited_settings();
    settings.events.stuck_limit = milliseconds(50);
    RunningServer server(settings);
    server.node.flood();
    EventClient client(server.port());
    client.subscribe();
    const auto first = client.read();
    EXPECT_NE(first, "");
    expect_no_watch(server);
}

TEST(Events, OnlySoManyFollowAtATime) {
    auto settings = unlimited_settings();
    settings.events.max_clients = 1;
    RunningServer server(settings);
    EventClient first(server.port());
    first.subscribe();
    EXPECT_NE(first.read(), "");
    EXPECT_EQ(EventClient(server.port()).status(), 429U);
    first.leave();
    expect_no_watch(server);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    unsigned status = 0;
    while (status != 101 && std::chrono::steady_clock::now() < deadline) status = EventClient(server.port()).status();
    EXPECT_EQ(status, 101U);
}

TEST(Events, TheStreamEndsWithTheDaemon) {
    auto server = std::make_unique<RunningServer>();
    EventClient client(server->port());
    client.subscribe();
    EXPECT_EQ(parsed(client.read()).at("event"), "proposal");
    std::thread stopping([&server] { server.reset(); });
    std::ignore = client.read_to_end();
    stopping.join();
    EXPECT_EQ(client.close_code(), 1001U);
    EXPECT_EQ(client.close_reason(), "the daemon stops");
}

TEST(Events, OnlyAnUpgradeIsServed) {
    RunningServer server;
    const auto plain = send_raw(server.port(), request_text(server.port(), "GET", "/v1/events"));
    EXPECT_EQ(plain.status, 426U);
    EXPECT_NE(plain.head.find("\r\nUpgrade: websocket"), std::string::npos);
    EXPECT_NE(plain.body.find("WebSocket"), std::string::npos);
}

/// What keeps strangers and web pages out of the other routes keeps them out here, before the upgrade.
TEST(Events, TheUpgradeIsJudgedAsEveryRequest) {
    RunningServer server;
    const auto ask = [&](const std::string& headers) {
        return send_raw(server.port(),
                        "GET /v1/events HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                            headers + "\r\n")
            .status;
    };
    const auto host = "Host: 127.0.0.1:" + std::to_string(server.port()) + "\r\n";
    const auto token = "Authorization: Bearer " + std::string(test_support::kToken) + "\r\n";
    EXPECT_EQ(ask(host), 401U);
    EXPECT_EQ(ask(host + "Authorization: Bearer " + std::string(64, 'f') + "\r\n"), 401U);
    EXPECT_EQ(ask("Host: evil.test\r\n" + token), 421U);
    EXPECT_EQ(ask(host + token + "Origin: http://evil.test\r\n"), 403U);
    EXPECT_EQ(ask(host + token + "Content-Length: 2\r\nContent-Type: application/json\r\n"), 400U);
    EXPECT_EQ(server.node.watches(), 0U);
}

}  // namespace
}  // namespace myst::api
