// Limits of the HTTP server: sizes, times, connections, and where it listens.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include "myst/api/test_support/running_server.hpp"

namespace myst::api {
namespace {

using asio::ip::tcp;
using test_support::FakeControl;
using test_support::kToken;
using test_support::request_text;
using test_support::RunningServer;
using test_support::send_raw;
using test_support::unlimited_settings;

constexpr milliseconds kShort{30};

/// A connection that the test drives byte by byte.
class Client {
public:
    explicit Client(std::uint16_t port) : socket_(context_) {
        socket_.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
    }
    void send(std::string_view text) { asio::write(socket_, asio::buffer(text.data(), text.size())); }
    std::string read_to_end() {
        std::string text;
        boost::system::error_code ec;
        asio::read(socket_, asio::dynamic_buffer(text), ec);
        return text;
    }
    /// Head and body of a response whose body ends with '}'.
    std::string read_response() {
        std::string text;
        const auto size = asio::read_until(socket_, asio::dynamic_buffer(text), "\"v\":1}");
        return text.substr(0, size);
    }

private:
    asio::io_context context_;
    tcp::socket socket_;
};

Error refusal(std::string address, std::uint16_t port = 0) {
    FakeControl node;
    const SystemClock clock;
    asio::io_context context;
    ServerSettings settings;
    settings.address = std::move(address);
    settings.port = port;
    auto server = Server::listen(context.get_executor(), settings, digest_of_token(kToken), node, clock);
    EXPECT_FALSE(server);
    return server ? Error{} : server.error();
}

TEST(Limits, OnlyLoopbackIsListenedOn) {
    for (const auto* address : {"0.0.0.0", "::", "192.0.2.1", "::ffff:127.0.0.1", "localhost", "", "127.0.0.1:80"}) {
        const auto error = refusal(address);
        EXPECT_EQ(error.code, ErrorCode::invalid_argument) << address;
        EXPECT_NE(error.cure.find("127.0.0.1"), std::string::npos);
    }
}

TEST(Limits, ATakenPortIsReported) {
    const RunningServer server;
    const auto error = refusal("127.0.0.1", server.port());
    EXPECT_EQ(error.code, ErrorCode::unavailable);
    EXPECT_NE(error.message.find(std::to_string(server.port())), std::string::npos) << error.message;
}

TEST(Limits, AHeaderThatNeverEndsIsCutOff) {
    auto settings = unlimited_settings();
    settings.header_timeout = kShort;
    const RunningServer server(settings);
    Client client(server.port());
    client.send("GET /v1/health HTTP/1.1\r\nHost: ");
    EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 408 "));
}

TEST(Limits, ASilentConnectionIsClosedWithoutAWord) {
    auto settings = unlimited_settings();
    settings.header_timeout = kShort;
    const RunningServer server(settings);
    Client client(server.port());
    EXPECT_EQ(client.read_to_end(), "");
}

TEST(Limits, ABodyThatNeverEndsIsCutOff) {
    auto settings = unlimited_settings();
    settings.transfer_timeout = kShort;
    const RunningServer server(settings);
    Client client(server.port());
    auto request = request_text(server.port(), "POST", "/v1/wallet/deposit", R"({"amount":"5"})");
    request.resize(request.size() - 3);
    client.send(request);
    EXPECT_TRUE(client.read_to_end().starts_with("HTTP/1.1 408 "));
    EXPECT_TRUE(server.node.changes().empty());
}

TEST(Limits, HeadersAreBounded) {
    const RunningServer server;
    const auto padded = [&](std::size_t size) {
        const auto header = fmt::format("X-Padding: {}\r\n", std::string(size, 'x'));
        return send_raw(server.port(), request_text(server.port(), "GET", "/v1/health", {}, header)).status;
    };
    EXPECT_EQ(padded(15 * 1024), 200U);
    EXPECT_EQ(padded(16 * 1024), 431U);
    EXPECT_EQ(padded(1024 * 1024), 431U);
}

TEST(Limits, NoiseIsRefused) {
    const RunningServer server;
    for (const std::string& noise :
         {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11), std::string("hello\r\n\r\n"),
          std::string("GET /v1/health HTTP/9.9\r\n\r\n"), std::string("GET  HTTP/1.1\r\n\r\n"),
          std::string("GET /v1/health HTTP/1.1\r\nHost : x\r\n\r\n"),
          std::string("GET /v1/health HTTP/1.1\r\n folded: x\r\n\r\n"),
          std::string("GET /v1/\0health HTTP/1.1\r\n\r\n", 28)}) {
        EXPECT_EQ(send_raw(server.port(), noise).status, 400U) << noise;
    }
}

TEST(Limits, AConnectionCarriesSeveralRequestsInOrder) {
    RunningServer server;
    Client client(server.port());
    const auto open = fmt::format("GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", server.port());
    std::string pipelined;
    for (int i = 0; i < 20; ++i) pipelined += open;
    client.send(pipelined + request_text(server.port(), "GET", "/v1/wallet"));
    const auto text = client.read_to_end();
    std::size_t answers = 0;
    for (auto at = text.find("HTTP/1.1 200 OK"); at != std::string::npos; at = text.find("HTTP/1.1 200 OK", at + 1))
        ++answers;
    EXPECT_EQ(answers, 21U);
    EXPECT_GT(text.find("\"signer\""), text.rfind("\"status\":\"ok\""));
}

TEST(Limits, AnOldClientIsServedOnceAndClosed) {
    const RunningServer server;
    const auto request =
        fmt::format("GET /v1/health HTTP/1.0\r\nHost: 127.0.0.1:{}\r\nConnection: keep-alive\r\n\r\n", server.port());
    const auto response = send_raw(server.port(), request);
    EXPECT_EQ(response.status, 200U);
    EXPECT_NE(response.head.find("Connection: close"), std::string::npos) << response.head;
}

TEST(Limits, TooManyConnectionsAreTurnedAway) {
    auto settings = unlimited_settings();
    settings.max_connections = 3;
    const RunningServer server(settings);
    const auto request = fmt::format(
        "GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\r\n", server.port(), kToken);
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(std::make_unique<Client>(server.port()));
        clients.back()->send(request);
        EXPECT_TRUE(clients.back()->read_response().starts_with("HTTP/1.1 200 "));
    }
    Client turned_away(server.port());
    EXPECT_TRUE(turned_away.read_to_end().starts_with("HTTP/1.1 503 "));
    clients.front()->send(request);
    EXPECT_TRUE(clients.front()->read_response().starts_with("HTTP/1.1 200 ")) << "the others are still served";
}

TEST(Limits, StrangersMakeRoomForTheOwner) {
    auto settings = unlimited_settings();
    settings.max_connections = 3;
    const RunningServer server(settings);
    std::vector<std::unique_ptr<Client>> strangers;
    for (int i = 0; i < 3; ++i) {
        strangers.push_back(std::make_unique<Client>(server.port()));
        strangers.back()->send(fmt::format("GET /v1/health HTTP/1.1\r\nHost: 127.0.0.1:{}\r\n\r\n", server.port()));
        EXPECT_TRUE(strangers.back()->read_response().starts_with("HTTP/1.1 200 "));
    }
    Client owner(server.port());
    owner.send(fmt::format("GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\n\r\n",
                           server.port(), kToken));
    EXPECT_TRUE(owner.read_response().starts_with("HTTP/1.1 200 "));
    EXPECT_EQ(strangers.front()->read_to_end(), "") << "the one that was there longest has gone";
}

TEST(Limits, GuessedTokensWait) {
    auto settings = unlimited_settings();
    settings.gate.bad_tokens_per_minute = 2;
    settings.gate.bad_token_delay = milliseconds(80);
    const RunningServer server(settings);
    const auto guess =
        fmt::format("GET /v1/status HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n", server.port());
    for (int i = 0; i < 2; ++i) EXPECT_EQ(send_raw(server.port(), guess).status, 401U);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(send_raw(server.port(), guess).status, 401U);
    EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(80));
}

TEST(Limits, ARunawayClientIsToldToWait) {
    auto settings = unlimited_settings();
    settings.gate.burst = 2;
    settings.gate.requests_per_second = 1;
    const RunningServer server(settings);
    const auto request = request_text(server.port(), "GET", "/v1/wallet");
    for (int i = 0; i < 2; ++i) EXPECT_EQ(send_raw(server.port(), request).status, 200U);
    const auto refused = send_raw(server.port(), request);
    EXPECT_EQ(refused.status, 429U);
    EXPECT_NE(refused.head.find("Retry-After: 1"), std::string::npos);
}

TEST(Limits, ShutdownDoesNotWaitForIdleClients) {
    auto server = std::make_unique<RunningServer>();
    Client client(server->port());
    client.send("GET /v1/health HTTP/1.1\r\n");
    server.reset();
    EXPECT_EQ(client.read_to_end(), "");
}

}  // namespace
}  // namespace myst::api
