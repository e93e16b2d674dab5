// A relay with a store of its own, and ways to talk to it, for tests.
#pragma once

#include <atomic>

#include "myst/db/db_fixtures.hpp"
#include "myst/db/relay_client.hpp"
#include "myst/db/relay_server.hpp"
#include "myst/db/relay_set.hpp"
#include "myst/db/sqlite_record_store.hpp"

namespace myst::db::test {

/// The machine's time and so much more: days pass at once.
class ShiftedClock final : public Clock {
public:
    [[nodiscard]] UnixTime unix_now() const override { return SystemClock().unix_now() + seconds(shift_); }
    [[nodiscard]] MonotonicTime now() const override { return SystemClock().now() + seconds(monotonic_shift_); }
    void advance(seconds by) { shift_ += by.count(); }
    /// The clock for measuring, too.
    void advance_all(seconds by) {
        advance(by);
        monotonic_shift_ += by.count();
    }

private:
    std::atomic<std::int64_t> shift_ = 0;
    std::atomic<std::int64_t> monotonic_shift_ = 0;
};

/// Everything a node of a test shares with the others. Real sockets.
struct World {
    Loop loop;
    ShiftedClock clock;
    crypto::SystemRng rng;
    WorkerPool workers{2};

    [[nodiscard]] UnixTime now() const { return clock.unix_now(); }
};

inline std::unique_ptr<SqliteRecordStore> open_store(StoreLimits limits = {}) {
    SqliteRecordStore::Settings settings;
    settings.limits = limits;
    auto store = SqliteRecordStore::open(std::move(settings));
    EXPECT_TRUE(store) << store.error().message;
    return std::move(*store);
}

inline RelayUrl loopback_url(std::uint16_t port) {
    return *RelayUrl::parse("ws://127.0.0.1:" + std::to_string(port));
}

/// Store, hub and server on a free port of the loopback address.
class TestRelay {
public:
    explicit TestRelay(World& world, RelayLimits limits = {}, std::uint16_t port = 0, bool trusted_proxy = false,
                       RelayAccess access = {}, AdmissionPolicy policy = {},
                       std::shared_ptr<SelfCheck> self_check = nullptr)
        : world_(world), policy_(std::move(policy)) {
        RelayServer::Settings settings;
        settings.trusted_proxy = trusted_proxy;
        settings.self_check = std::move(self_check);
        settings.address = "127.0.0.1";
        settings.port = port;
        settings.limits = limits;
        settings.access = std::move(access);
        auto opened = RelayServer::open(world.loop.executor(), hub, world.workers, world.clock, settings);
        EXPECT_TRUE(opened) << opened.error().describe();
        server = std::move(*opened);
    }
    /// Begins to accept connections; before, they wait in the kernel's queue.
    void start() { world_.loop.group.spawn("test relay", serve()); }
    /// Drops every connection and frees the port.
    Task<> stop() {
        tasks_.cancel();
        co_await tasks_.join();
        server.reset();
    }
    [[nodiscard]] RelayUrl url() const { return loopback_url(server->local_port()); }

private:
    World& world_;
    AdmissionPolicy policy_;

public:
    std::unique_ptr<SqliteRecordStore> store = open_store();
    RecordHub hub{*store, world_.clock, policy_};
    std::unique_ptr<RelayServer> server;

private:
    Task<> serve() {
        tasks_.spawn("relay", server->run());
        co_await tasks_.join();
    }
    TaskGroup tasks_{world_.loop.executor()};
};

/// Short pauses, so that tests do not wait.
inline RelayClient::Settings quick_client(RelayUrl url = {}) {
    RelayClient::Settings settings;
    settings.url = std::move(url);
    settings.first_retry = milliseconds(10);
    settings.last_retry = milliseconds(50);
    settings.distrust = milliseconds(50);
    return settings;
}

inline RelaySet::Settings quick_set(std::vector<RelayUrl> relays) {
    RelaySet::Settings settings;
    settings.relays = std::move(relays);
    settings.client = quick_client();
    settings.grace = milliseconds(5'000);
    return settings;
}

/// A plain WebSocket to a relay.
inline Task<std::unique_ptr<WebSocket>> dial(RelayUrl url) {
    WebSocketSettings settings;
    auto connecting = connect_web_socket(std::move(url), std::move(settings));
    auto socket = co_await std::move(connecting);
    EXPECT_TRUE(socket) << socket.error().message;
    co_return socket ? std::move(*socket) : nullptr;
}

inline Task<> say(WebSocket* socket, std::string text) {
    auto message = std::make_shared<const std::string>(std::move(text));
    auto written = co_await socket->write(std::move(message));
    EXPECT_TRUE(written) << written.error().message;
}

/// The next message, or "closed: <why>".
inline Task<std::string> hear(WebSocket* socket) {
    auto text = co_await socket->read();
    co_return text ? std::move(*text) : "closed: " + text.error().message;
}

inline Task<> expect_text(WebSocket* socket, std::string expected) {
    const auto text = co_await hear(socket);
    EXPECT_EQ(text, expected);
}

inline Task<> expect_start(WebSocket* socket, std::string expected) {
    const auto text = co_await hear(socket);
    EXPECT_EQ(text.substr(0, expected.size()), expected);
}

inline Task<> expect_part(WebSocket* socket, std::string expected) {
    const auto text = co_await hear(socket);
    EXPECT_NE(text.find(expected), std::string::npos) << text;
}

}  // namespace myst::db::test
