// Very many damaged messages against relay and client, for the sanitizers to watch.
#include <cstdlib>
#include <random>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include "myst/db/relay_fixtures.hpp"

namespace myst::db::test {
namespace {

/// 100,000, or what MYST_HOSTILE_MESSAGES says.
std::size_t messages() {
    const char* wanted = std::getenv("MYST_HOSTILE_MESSAGES");
    return wanted != nullptr ? std::strtoul(wanted, nullptr, 10) : 100'000;
}

/// What clients say, one message of each sort and with every part that a message may have.
std::vector<std::string> of_clients() {
    const auto now = SystemClock().unix_now();
    codec::Filter filter;
    filter.ids = {Hash32{{1}}};
    filter.authors = {key_of(1).node_key()};
    filter.kinds = {kProposalKind, kEnvelopeKind};
    filter.tags['p'] = {key_of(1).node_key().hex()};
    filter.since = now;
    filter.until = now;
    filter.limit = 5;
    return {encode_event(codec::to_json(make_proposal(key_of(1), now))),
            encode_event(codec::to_json(make_envelope(key_of(1), key_of(2).node_key(), now, "\"\\\n\u00e9"))),
            encode_event(codec::to_json(make_event(key_of(1), kDeletionKind, now, {{"e", std::string(64, 'a')}}))),
            encode_req("a", {filter, {}}),
            encode_close("a"),
            encode_auth(codec::to_json(make_event(key_of(1), codec::kAuthKind, now, {{"relay", "ws://x"}}))),
            encode_neg_open("n", {}, Bytes{0x61, 0, 0, 2, 0}),
            encode_neg_message("n", Bytes{0x61, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}),
            encode_neg_close("n")};
}

std::vector<std::string> of_relays() {
    const auto now = SystemClock().unix_now();
    return {encode_relay_event("a", codec::to_json(make_proposal(key_of(1), now))),
            encode_ok(Hash32{{1}}, false, "invalid: \"\\\n"),
            encode_eose("a"),
            encode_closed("a", "error: x"),
            encode_notice("x"),
            encode_challenge("c0ffee"),
            encode_neg_message("n", Bytes{0x61, 0, 0, 2, 0}),
            encode_neg_error("n", "blocked: x")};
}

/// One of the texts with up to four injuries: a bit, a byte of JSON's own, a part lost, doubled or moved.
class Mutator {
public:
    Mutator(std::vector<std::string> texts, std::uint32_t seed) : texts_(std::move(texts)), random_(seed) {}
    std::string next() {
        auto text = texts_[random_() % texts_.size()];
        for (auto injuries = random_() % 5; injuries > 0 && !text.empty(); --injuries) injure(text);
        return text;
    }

private:
    void injure(std::string& text) {
        constexpr std::string_view kSyntax = "[]{}\",:\\0-+.eEtfnu \x00\x7f\xff";
        const auto place = random_() % text.size();
        const auto length = 1 + random_() % 16;
        switch (random_() % 6) {
            case 0: text[place] = static_cast<char>(text[place] ^ (1 << random_() % 8)); break;
            case 1: text[place] = kSyntax[random_() % kSyntax.size()]; break;
            case 2: text.erase(place, length); break;
            case 3: text.insert(place, text.substr(random_() % text.size(), length)); break;
            case 4: text.resize(place); break;
            default: text.insert(place, std::string(length, kSyntax[random_() % kSyntax.size()]));
        }
    }
    std::vector<std::string> texts_;
    std::mt19937 random_;
};

/// How many of a number are understood.
template <class Decode>
std::size_t understood(Mutator mutator, std::size_t count, Decode decode) {
    std::size_t good = 0;
    for (std::size_t i = 0; i < count; ++i) good += decode(mutator.next()) ? 1U : 0U;
    return good;
}

TEST(HostileMessages, DamagedOnesAreRefusedOrUnderstoodAndNothingElse) {
    const auto count = messages();
    const auto here = understood({of_clients(), 1}, count,
                                 [](const std::string& text) { return decode_client_message(text, {}).has_value(); });
    const auto there = understood({of_relays(), 2}, count,
                                  [](const std::string& text) { return decode_relay_message(text, {}).has_value(); });
    // Some have no injury, or one that does not matter; most have.
    for (const auto good : {here, there}) {
        EXPECT_GT(good, count / 10);
        EXPECT_LT(good, count / 2);
    }
}

/// Sends damaged messages as fast as the relay reads them.
Task<> babble(std::shared_ptr<WebSocket> socket, Mutator* mutator, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        auto text = mutator->next();
        // The WebSocket protocol ends connections over what is no UTF-8; that is not what is tested here.
        std::replace_if(
            text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; }, '?');
        auto message = std::make_shared<const std::string>(std::move(text));
        auto written = co_await socket->write(std::move(message));
        if (!written) co_return;
    }
    co_await say(socket.get(), R"(["REQ","the end",{"limit":0}])");
}

/// Until the relay has answered the last message, or has ended the connection.
Task<> listen(std::shared_ptr<WebSocket> socket, bool* whole) {
    for (;;) {
        const auto text = co_await hear(socket.get());
        *whole = text == encode_eose("the end");
        if (*whole || text.starts_with("closed: ")) co_return;
    }
}

Task<> talk_to(World& world, TestRelay& relay, std::size_t count) {
    relay.start();
    Mutator mutator(of_clients(), 3);
    constexpr std::size_t kPerConnection = 1'000;
    std::size_t whole = 0;
    const auto connections = count / kPerConnection;
    for (std::size_t i = 0; i < connections; ++i) {
        auto dialled = co_await dial(relay.url());
        const std::shared_ptr<WebSocket> socket = std::move(dialled);
        bool answered = false;
        TaskGroup both(world.loop.executor());
        both.spawn("writer", babble(socket, &mutator, kPerConnection));
        both.spawn("reader", listen(socket, &answered));
        co_await both.join();
        whole += answered ? 1U : 0U;
    }
    EXPECT_EQ(whole, connections) << "a damaged message is no reason to end a connection";
    co_await until([&] { return relay.server->connections() == 0; });
    EXPECT_EQ(relay.hub.followers(), 0U);
}

TEST(HostileMessages, ARelayGoesOnServing) {
    World world;
    RelayLimits limits;
    limits.messages_per_second = 1'000'000;
    limits.burst = 1'000'000;
    limits.subscriptions = 2'000;
    TestRelay relay(world, limits, 0, false, {*RelayUrl::parse("ws://127.0.0.1"), false});
    world.loop.run(talk_to(world, relay, messages() / 20));
}

/// Frames of the WebSocket protocol itself, damaged, after a handshake in order.
Task<> break_frames(World& world, TestRelay& relay, std::size_t count) {
    relay.start();
    std::mt19937 random(5);
    const std::string handshake =
        "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    for (std::size_t i = 0; i < count; ++i) {
        asio::ip::tcp::socket socket(world.loop.executor());
        const asio::ip::tcp::endpoint target(asio::ip::address_v4::loopback(), relay.server->local_port());
        co_await socket.async_connect(target, asio::use_awaitable);
        std::string bytes = handshake;
        // Sometimes the handshake is damaged, mostly what follows: headers with random lengths, and no or few bytes.
        if (i % 10 == 0) bytes[random() % bytes.size()] = static_cast<char>(random());
        for (int frame = 0; frame < 20; ++frame) {
            bytes.push_back(static_cast<char>(random() % 4 == 0 ? random() : 0x81));
            bytes.push_back(static_cast<char>(random() % 4 == 0 ? random() : 0x80 | (random() % 126)));
            for (auto rest = random() % 64; rest > 0; --rest) bytes.push_back(static_cast<char>(random()));
        }
        const auto sending = asio::buffer(bytes);
        const auto [failed, written] = co_await asio::async_write(socket, sending, no_throw);
        std::ignore = failed;
        std::ignore = written;
        boost::system::error_code ignored;
        socket.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
        // Until the relay has ended it, too.
        std::array<char, 4096> answer{};
        for (;;) {
            const auto receiving = asio::buffer(answer);
            const auto [over, read] = co_await socket.async_read_some(receiving, no_throw);
            if (over || read == 0) break;
        }
    }
    auto client = co_await dial(relay.url());
    co_await say(client.get(), R"(["REQ","x",{"limit":0}])");
    co_await expect_text(client.get(), encode_eose("x"));
    client.reset();
    co_await until([&] { return relay.server->connections() == 0; });
}

TEST(HostileMessages, DamagedFramesEndTheirConnectionOnly) {
    World world;
    TestRelay relay(world);
    world.loop.run(break_frames(world, relay, messages() / 500));
}

}  // namespace
}  // namespace myst::db::test
