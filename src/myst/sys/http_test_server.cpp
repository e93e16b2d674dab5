#include "myst/sys/http_test_server.hpp"

#include <list>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

namespace myst::sys::testing {
namespace {

namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;

Task<ServerAnswer> ready(ServerAnswer answer) {
    co_return answer;
}

HttpTestServer::AsyncHandler as_async(HttpTestServer::Handler handler) {
    return [handler = std::move(handler)](const ServerRequest& request) { return ready(handler(request)); };
}

}  // namespace

struct HttpTestServer::State {
    State(asio::io_context& context, AsyncHandler chosen)
        : acceptor(context, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)), handler(std::move(chosen)) {}
    Tcp::acceptor acceptor;
    AsyncHandler handler;
    std::shared_ptr<asio::ssl::context> tls;
    std::list<std::shared_ptr<Tcp::socket>> sockets;
    std::size_t connections = 0;
    bool stopped = false;

    void close_all() {
        boost::system::error_code ignored;
        for (auto& socket : sockets) socket->close(ignored);
        sockets.clear();
    }
};

namespace {

/// Answers one request; false if the connection is finished.
template <class Stream, class State>
Task<bool> serve_one(Stream& stream, boost::beast::flat_buffer& buffer, std::shared_ptr<State> state) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(64U << 20);
    const auto [ec, size] = co_await http::async_read(stream, buffer, parser, no_throw);
    if (ec || state->stopped) co_return false;
    const auto message = parser.release();
    ServerRequest request{std::string(message.method_string()), std::string(message.target()), {}, message.body()};
    for (const auto& field : message) request.headers.emplace_back(field.name_string(), field.value());
    const auto method = request.method;
    auto pending = state->handler(std::move(request));
    auto answer = co_await std::move(pending);
    if (answer.drop) co_return false;
    if (answer.hang) {
        // Reading again waits until the client gives up.
        http::request_parser<http::string_body> next;
        std::ignore = co_await http::async_read(stream, buffer, next, no_throw);
        co_return false;
    }
    if (!answer.raw.empty()) {
        std::ignore = co_await asio::async_write(stream, asio::buffer(answer.raw), no_throw);
        co_return false;
    }
    http::response<http::string_body> response(static_cast<http::status>(answer.status), 11);
    response.set(http::field::content_type, "application/json");
    response.keep_alive(answer.keep_alive);
    response.body() = std::move(answer.body);
    if (method == "HEAD") {
        response.content_length(response.body().size());
        response.body().clear();
    } else {
        response.prepare_payload();
    }
    const auto [write_error, written] = co_await http::async_write(stream, response, no_throw);
    co_return !write_error && answer.keep_alive;
}

template <class State>
Task<> serve(std::shared_ptr<Tcp::socket> socket, std::shared_ptr<State> state) {
    boost::beast::flat_buffer buffer;
    if (state->tls) {
        asio::ssl::stream<Tcp::socket&> stream(*socket, *state->tls);
        const auto [ec] = co_await stream.async_handshake(asio::ssl::stream_base::server, no_throw);
        while (!ec && co_await serve_one(stream, buffer, state)) {
        }
    } else {
        while (co_await serve_one(*socket, buffer, state)) {
        }
    }
    boost::system::error_code ignored;
    socket->close(ignored);
    state->sockets.remove(socket);
}

template <class State>
Task<> accept_all(std::shared_ptr<State> state) {
    while (!state->stopped) {
        auto socket = std::make_shared<Tcp::socket>(state->acceptor.get_executor());
        const auto [ec] = co_await state->acceptor.async_accept(*socket, no_throw);
        if (ec) co_return;
        ++state->connections;
        state->sockets.push_back(socket);
        asio::co_spawn(state->acceptor.get_executor(), serve(socket, state), [](std::exception_ptr) {});
    }
}

}  // namespace

HttpTestServer::HttpTestServer(asio::io_context& context, Handler handler)
    : HttpTestServer(context, as_async(std::move(handler))) {}

HttpTestServer::HttpTestServer(asio::io_context& context, AsyncHandler handler)
    : state_(std::make_shared<State>(context, std::move(handler))) {
    asio::co_spawn(context, accept_all(state_), [](std::exception_ptr) {});
}

HttpTestServer::HttpTestServer(asio::io_context& context, Handler handler, const Tls& tls)
    : state_(std::make_shared<State>(context, as_async(std::move(handler)))) {
    state_->tls = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
    state_->tls->use_certificate_chain(asio::buffer(tls.certificate_pem));
    state_->tls->use_private_key(asio::buffer(tls.key_pem), asio::ssl::context::pem);
    asio::co_spawn(context, accept_all(state_), [](std::exception_ptr) {});
}

HttpTestServer::~HttpTestServer() {
    state_->stopped = true;
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    state_->close_all();
}

std::uint16_t HttpTestServer::port() const {
    return state_->acceptor.local_endpoint().port();
}

std::string HttpTestServer::url() const {
    return "http://127.0.0.1:" + std::to_string(port()) + "/";
}

std::size_t HttpTestServer::connections() const {
    return state_->connections;
}

void HttpTestServer::close_connections() {
    state_->close_all();
}

}  // namespace myst::sys::testing
