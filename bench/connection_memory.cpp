#include "connection_memory.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>

#include "measure.hpp"
#include "myst/base/check.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/db/relay_message.hpp"
#include "myst/db/relay_server.hpp"
#include "myst/db/sqlite_record_store.hpp"
#include "myst/runtime/run_task.hpp"
#include "myst/runtime/task_group.hpp"

namespace myst::bench {
namespace {

using tcp = asio::ip::tcp;

constexpr std::size_t kConnections = 2'000;

/// One text frame of a client (RFC 6455 section 5.2), masked with zeros.
std::string frame(const std::string& text) {
    CHECK(text.size() >= 126 && text.size() < 65'536);
    const auto low = static_cast<char>(text.size() & 0xff);
    return std::string{'\x81', '\xfe', static_cast<char>(text.size() >> 8), low, 0, 0, 0, 0} + text;
}

Task<> follow(tcp::socket* socket, std::uint16_t port, std::string question) {
    const tcp::endpoint relay(asio::ip::address_v4::loopback(), port);
    co_await socket->async_connect(relay, asio::use_awaitable);
    const std::string upgrade =
        "GET / HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    co_await asio::async_write(*socket, asio::buffer(upgrade), asio::use_awaitable);
    std::string answer;
    co_await asio::async_read_until(*socket, asio::dynamic_buffer(answer), "\r\n\r\n", asio::use_awaitable);
    CHECK(answer.starts_with("HTTP/1.1 101"));
    const auto message = frame(question);
    co_await asio::async_write(*socket, asio::buffer(message), asio::use_awaitable);
    co_await asio::async_read_until(*socket, asio::dynamic_buffer(answer), "EOSE", asio::use_awaitable);
}

Task<> connect_all(std::vector<tcp::socket>& sockets, db::RelayServer& relay, std::uint64_t& grown) {
    TaskGroup group(co_await asio::this_coro::executor);
    group.spawn("relay", relay.run());
    crypto::SystemRng rng;
    const auto before = resident_bytes();
    for (auto& socket : sockets) {
        codec::Filter filter;
        filter.kinds = {codec::kEnvelopeKind};
        filter.tags['p'] = {crypto::PrivateKey::generate(rng).node_key().hex()};
        auto question = db::encode_req("s1", {filter});
        question.resize(std::max<std::size_t>(question.size(), 126), ' ');
        co_await follow(&socket, relay.local_port(), std::move(question));
    }
    CHECK(relay.connections() == sockets.size());
    grown = resident_bytes() - before;
    sockets.clear();
    group.cancel();
    co_await group.join();
}

}  // namespace

std::uint64_t memory_per_connection() {
    asio::io_context context;
    SystemClock clock;
    WorkerPool workers(1);
    auto store = db::SqliteRecordStore::open({});
    CHECK(store);
    db::RecordHub hub(**store, clock, db::AdmissionPolicy{});
    db::RelayServer::Settings settings;
    settings.address = "127.0.0.1";
    settings.port = 0;
    settings.limits.connections = kConnections;
    settings.limits.connections_per_ip = kConnections;
    auto relay = db::RelayServer::open(context.get_executor(), hub, workers, clock, settings);
    CHECK(relay);
    std::vector<tcp::socket> sockets;
    for (std::size_t i = 0; i < kConnections; ++i) sockets.emplace_back(context);
    std::uint64_t grown = 0;
    CHECK(run_task(context, connect_all(sockets, **relay, grown)) == nullptr);
    return grown / kConnections;
}

}  // namespace myst::bench
