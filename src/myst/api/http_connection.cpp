#include "myst/api/http_connection.hpp"

#include <array>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "myst/api/json_views.hpp"
#include "myst/api/routes.hpp"
#include "myst/base/at_exit.hpp"
#include "myst/base/log.hpp"
#include "myst/runtime/timeout.hpp"
#include "myst/sys/beast_socket.hpp"

namespace myst::api {
namespace {

namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::uint32_t kMaxHeaderBytes = 16 * 1024;
constexpr std::uint64_t kMaxBodyBytes = std::uint64_t{1} << 20;
constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr std::size_t kMaxDrainBytes = std::size_t{4} << 20;
constexpr milliseconds kDrainTime{1000};
constexpr unsigned kSwitching = 101;
constexpr unsigned kUpgradeRequired = 426;

/// What goes back to the client.
struct Reply {
    unsigned status = 200;
    std::string body;
    std::string allow{};     ///< value of the Allow header
    bool keep_alive = true;  ///< false: the rest of the request was not read
};

Reply failure(unsigned status, const Error& error) {
    return Reply{status, error_body(error), {}, false};
}

Reply failure(unsigned status, ErrorCode code, std::string message, std::string cure = {}) {
    return failure(status, Error{code, std::move(message), std::move(cure)});
}

std::string_view text(boost::core::string_view view) {
    return {view.data(), view.size()};
}

std::vector<std::string_view> all_values(const http::fields& fields, http::field name) {
    std::vector<std::string_view> values;
    const auto [first, last] = fields.equal_range(name);
    for (auto it = first; it != last; ++it) values.push_back(text(it->value()));
    return values;
}

/// "application/json", alone or with charset=utf-8.
bool is_json(std::string_view content_type) {
    const auto semicolon = content_type.find(';');
    auto type = content_type.substr(0, semicolon);
    while (type.ends_with(' ')) type.remove_suffix(1);
    if (!boost::beast::iequals(type, "application/json")) return false;
    if (semicolon == std::string_view::npos) return true;
    auto parameter = content_type.substr(semicolon + 1);
    while (parameter.starts_with(' ')) parameter.remove_prefix(1);
    return boost::beast::iequals(parameter, "charset=utf-8");
}

/// A plain function, so that the text is not a temporary inside a co_await expression.
Task<Result<>> limited(Task<Result<>> task, milliseconds limit, const char* what) {
    return with_timeout(std::move(task), limit, what);
}

class Connection {
public:
    Connection(tcp::socket socket, const ConnectionContext& context)
        : socket_(std::move(socket)), context_(context), stranger_(context.strangers.add(socket_)) {}
    ~Connection() { become_known(); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    Task<> serve();

private:
    using Parser = http::request_parser<http::string_body>;

    Task<bool> serve_one();
    Task<Result<>> read_header();
    Task<Result<>> read_body();
    Task<Reply> answer();
    Task<Reply> run(const Route& route, std::string_view query);
    /// Whether the connection can become an event stream: a reply of status 101, which is not sent.
    [[nodiscard]] Reply judge_upgrade(std::string_view query) const;
    Task<> serve_events();
    Task<Result<>> write(http::response<http::string_body>& response);
    Task<bool> send(Reply reply);
    Task<Result<>> drain();
    /// It has shown the token, or is gone.
    void become_known();
    [[nodiscard]] std::optional<Reply> refuse_framing() const;
    [[nodiscard]] std::optional<Reply> refuse_content(const Route& route) const;
    [[nodiscard]] Reply header_failure() const;

    tcp::socket socket_;
    const ConnectionContext& context_;
    std::optional<Strangers::Place> stranger_;  ///< none once it has shown the token
    boost::beast::flat_buffer buffer_{kBufferBytes};
    std::optional<Parser> parser_;
    error_code read_error_;
};

Task<> Connection::serve() {
    while (co_await serve_one()) {
    }
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    // Closing with unread input would reset the connection and could destroy the reply on its way.
    std::ignore = co_await limited(drain(), kDrainTime, "drain");
}

/// True if another request may follow.
Task<bool> Connection::serve_one() {
    parser_.emplace();
    parser_->header_limit(kMaxHeaderBytes);
    parser_->body_limit(boost::none);  // answer() judges Content-Length once it knows who is asking
    read_error_ = {};
    auto header = co_await limited(read_header(), context_.header_timeout, "request header");
    if (!header) {
        const bool is_silent = !parser_->got_some() && buffer_.size() == 0;
        if (is_silent || header.error().code == ErrorCode::unavailable) co_return false;
        const bool is_late = header.error().code == ErrorCode::timeout;
        Reply refused =
            is_late ? failure(408, ErrorCode::timeout, "the request took too long to arrive") : header_failure();
        co_return co_await send(std::move(refused));
    }
    Reply reply = co_await answer();
    if (reply.status == kSwitching) {
        co_await serve_events();
        co_return false;
    }
    co_return co_await send(std::move(reply));
}

Task<Result<>> Connection::read_header() {
    auto [ec, size] = co_await http::async_read_header(socket_, buffer_, *parser_, no_throw);
    if (ec) co_await unwind_if_cancelled();
    if (!ec) co_return Result<>{};
    read_error_ = ec;
    const bool is_syntax = ec.category() == http::make_error_code(http::error::bad_method).category();
    const bool is_end = ec == http::error::end_of_stream || ec == http::error::partial_message;
    if (is_syntax && !is_end) co_return fail(ErrorCode::invalid_data, ec.message());
    co_return fail(ErrorCode::unavailable, ec.message());
}

void Connection::become_known() {
    if (const auto place = std::exchange(stranger_, std::nullopt)) context_.strangers.remove(*place);
}

Reply Connection::header_failure() const {
    if (read_error_ == http::error::header_limit || read_error_ == http::error::buffer_overflow) {
        return failure(431, ErrorCode::limit_exceeded, "the request's headers are larger than 16 KiB");
    }
    return failure(400, ErrorCode::invalid_argument, "malformed HTTP request");
}

Task<Result<>> Connection::read_body() {
    auto [ec, size] = co_await http::async_read(socket_, buffer_, *parser_, no_throw);
    if (ec) co_await unwind_if_cancelled();
    if (ec) co_return fail(ErrorCode::unavailable, ec.message());
    co_return Result<>{};
}

std::optional<Reply> Connection::refuse_framing() const {
    const auto& fields = parser_->get();
    if (fields.count(http::field::transfer_encoding) != 0) {
        const bool is_ambiguous = fields.count(http::field::content_length) != 0;
        return failure(is_ambiguous ? 400 : 411, ErrorCode::invalid_argument, "Transfer-Encoding is not accepted",
                       "send the body with Content-Length");
    }
    if (fields.count(http::field::content_length) > 1) {
        return failure(400, ErrorCode::invalid_argument, "Content-Length occurs twice");
    }
    return std::nullopt;
}

std::optional<Reply> Connection::refuse_content(const Route& route) const {
    const auto length = parser_->content_length().value_or(0);
    if (length > kMaxBodyBytes) return failure(413, ErrorCode::limit_exceeded, "the body is larger than 1 MiB");
    const auto types = all_values(parser_->get(), http::field::content_type);
    if ((length != 0 || !types.empty()) && (types.size() != 1 || !is_json(types.front()))) {
        return failure(415, ErrorCode::invalid_argument, "the body must be JSON",
                       "send \"Content-Type: application/json\"");
    }
    if (length != 0 && route.method != "POST") {
        return failure(400, ErrorCode::invalid_argument, "this method takes no body");
    }
    return std::nullopt;
}

/// Judges the request whose header has been read, and runs it.
Task<Reply> Connection::answer() {
    if (auto refused = refuse_framing()) co_return std::move(*refused);
    const auto& request = parser_->get();
    const Credentials credentials{all_values(request, http::field::host), all_values(request, http::field::origin),
                                  all_values(request, http::field::authorization)};
    if (auto refused = context_.gatekeeper.check_source(credentials)) {
        co_return failure(refused->status, refused->error);
    }
    const std::string target(text(request.target()));
    const auto question = target.find('?');
    const auto path = std::string_view(target).substr(0, question);
    const auto query =
        question == std::string::npos ? std::string_view() : std::string_view(target).substr(question + 1);
    const Route* route = find_route(text(request.method_string()), path);
    if (route == nullptr || !route->open) {
        if (auto refused = context_.gatekeeper.check_token(credentials, context_.clock.now())) {
            if (refused->delay > milliseconds(0)) co_await sleep_for(refused->delay);
            co_return failure(refused->status, refused->error);
        }
        become_known();
    }
    if (route == nullptr) {
        std::string allowed = allowed_methods(path);
        const bool is_known = !allowed.empty();
        Reply reply = failure(is_known ? 405 : 404, is_known ? ErrorCode::invalid_argument : ErrorCode::not_found,
                              is_known ? "this path does not have that method" : "there is no such path",
                              "GET /v1/openapi.json lists all routes");
        reply.allow = std::move(allowed);
        co_return reply;
    }
    if (auto refused = refuse_content(*route)) co_return std::move(*refused);
    if (route->handler == nullptr) co_return judge_upgrade(query);
    co_return co_await run(*route, query);
}

Reply Connection::judge_upgrade(std::string_view query) const {
    auto members = members_of_query(query, {});
    if (!members) return failure(400, members.error());
    if (!boost::beast::websocket::is_upgrade(parser_->get())) {
        return failure(kUpgradeRequired, ErrorCode::invalid_argument, "events come over a WebSocket",
                       "send Connection: Upgrade and Upgrade: websocket");
    }
    if (buffer_.size() != 0) {
        return failure(400, ErrorCode::invalid_argument, "a client waits for the upgrade before it goes on");
    }
    if (context_.event_clients >= context_.events.max_clients) {
        return failure(429, ErrorCode::limit_exceeded, "too many clients follow events", "close some");
    }
    return Reply{kSwitching, {}};
}

Task<> Connection::serve_events() {
    ++context_.event_clients;
    const AtExit gone([this] { --context_.event_clients; });
    using Stream = boost::beast::tcp_stream;
    const auto executor = socket_.get_executor();
    sys::WebSocketStream<Stream> stream{Stream(std::move(socket_))};
    sys::prepare_web_socket(stream, sys::WebSocketLimits{context_.events.max_message_bytes, context_.transfer_timeout,
                                                         context_.events.idle_timeout});
    const auto request = parser_->release();
    const auto [ec] = co_await stream.async_accept(request, no_throw);
    if (ec) {
        co_await unwind_if_cancelled();
        co_return;
    }
    EventSession session(executor, std::make_unique<sys::BeastSocket<Stream>>(std::move(stream), nullptr),
                         context_.node, context_.clock, context_.events);
    co_await session.run();
}

/// Reads the body, parses the members and calls the route's handler. One of the few places that catch exceptions.
Task<Reply> Connection::run(const Route& route, std::string_view query) {
    if (!parser_->is_done()) {
        auto body = co_await limited(read_body(), context_.transfer_timeout, "the body took too long to arrive");
        if (!body) co_return failure(408, ErrorCode::timeout, "the body did not arrive whole");
    }
    const bool has_body = route.method == "POST";
    auto in_query = members_of_query(query, has_body ? std::span<const std::string_view>() : route.members);
    if (!in_query) co_return failure(400, in_query.error());
    auto in_body =
        members_of_body(parser_->get().body(), has_body ? route.members : std::span<const std::string_view>());
    if (!in_body) co_return failure(400, in_body.error());
    Result<std::string> result;
    try {
        result = co_await route.handler(context_.node, std::move(has_body ? *in_body : *in_query));
    } catch (...) {
        const auto error = std::current_exception();
        if (is_cancellation(error)) throw;
        log::error("api: {} {}: {}", route.method, route.path, describe_exception(error));
        result = fail(ErrorCode::internal, "the node failed unexpectedly", "see the daemon's log");
    }
    Reply reply = result ? Reply{route.status, std::move(*result)}
                         : Reply{status_of(result.error().code), error_body(result.error())};
    co_return reply;
}

Task<Result<>> Connection::write(http::response<http::string_body>& response) {
    auto [ec, size] = co_await http::async_write(socket_, response, no_throw);
    if (ec) co_await unwind_if_cancelled();
    if (ec) co_return fail(ErrorCode::unavailable, ec.message());
    co_return Result<>{};
}

/// True if the connection can carry another request.
Task<bool> Connection::send(Reply reply) {
    const auto& request = parser_->get();
    const bool keep_alive = reply.keep_alive && parser_->is_done() && request.version() == 11 && request.keep_alive();
    http::response<http::string_body> response(static_cast<http::status>(reply.status), 11);
    response.set(http::field::content_type, "application/json");
    response.set(http::field::cache_control, "no-store");
    response.set("X-Content-Type-Options", "nosniff");
    if (!reply.allow.empty()) response.set(http::field::allow, reply.allow);
    if (reply.status == 401) response.set(http::field::www_authenticate, "Bearer");
    if (reply.status == kUpgradeRequired) response.set(http::field::upgrade, "websocket");
    if (reply.status == 429) response.set(http::field::retry_after, "1");
    response.keep_alive(keep_alive);
    response.body() = std::move(reply.body);
    response.prepare_payload();
    auto written = co_await limited(write(response), context_.transfer_timeout, "reply");
    co_return written&& keep_alive;
}

Task<Result<>> Connection::drain() {
    std::array<char, 8192> scratch{};
    for (std::size_t total = 0; total < kMaxDrainBytes;) {
        auto [ec, size] = co_await socket_.async_read_some(asio::buffer(scratch), no_throw);
        if (ec) co_await unwind_if_cancelled();
        if (ec) break;
        total += size;
    }
    co_return Result<>{};
}

}  // namespace

bool Strangers::turn_out_oldest() {
    if (sockets_.empty()) return false;
    error_code ignored;
    sockets_.front()->shutdown(tcp::socket::shutdown_both, ignored);
    sockets_.splice(sockets_.end(), sockets_, sockets_.begin());
    return true;
}

Task<> serve_connection(tcp::socket socket, const ConnectionContext& context) {
    Connection connection(std::move(socket), context);
    co_await connection.serve();
}

void refuse_connection(tcp::socket socket) {
    static const std::string kReply = [] {
        const auto body = error_body(Error{ErrorCode::limit_exceeded, "too many connections", "close some"});
        return "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\n"
               "Content-Length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body;
    }();
    error_code ignored;
    socket.non_blocking(true, ignored);
    std::ignore = socket.write_some(asio::buffer(kReply), ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
}

}  // namespace myst::api
