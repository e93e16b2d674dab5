#include "myst/sys/http_connection.hpp"

#include <sys/socket.h>

#include <boost/asio/ssl/error.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "myst/sys/tcp_connect.hpp"
#include "myst/sys/tls_client.hpp"

namespace myst::sys::detail {
namespace {

namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::uint32_t kHeaderLimit = 32 * 1024;

ErrorCode classify(const error_code& ec) {
    if (ec == http::error::body_limit || ec == http::error::header_limit) return ErrorCode::limit_exceeded;
    if (ec == http::error::end_of_stream || ec == http::error::partial_message) return ErrorCode::unavailable;
    if (ec.category() == make_error_code(http::error::bad_version).category()) return ErrorCode::invalid_data;
    if (ec.category() == asio::error::get_ssl_category()) return ErrorCode::invalid_data;
    return ErrorCode::unavailable;
}

tl::unexpected<Error> failure(const HttpUrl& url, std::string_view step, const error_code& ec) {
    auto message = url.place() + ": " + std::string(step) + ": " + ec.message();
    if (ec == http::error::body_limit) message = url.place() + ": the answer is larger than allowed";
    return fail(classify(ec), std::move(message));
}

http::request<http::string_body> make_message(const HttpUrl& url, const HttpRequest& request) {
    http::request<http::string_body> message;
    message.version(11);
    message.method_string(request.method);
    message.target(url.target);
    message.set(http::field::host, url.authority);
    message.set(http::field::user_agent, "mysterium");
    for (const auto& [name, value] : request.headers) message.set(name, value);
    message.body() = request.body;
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT") message.prepare_payload();
    return message;
}

template <class Stream>
Task<Trip> round_trip(Stream& stream, boost::beast::flat_buffer& buffer, HttpUrl url, const HttpRequest& request) {
    auto message = make_message(url, request);
    const auto [write_error, written] = co_await http::async_write(stream, message, no_throw);
    if (write_error) co_await unwind_if_cancelled();
    // A server may answer and close before it has read everything (413, 429), so the answer is read in any case.
    http::response_parser<http::string_body> parser;
    parser.body_limit(request.max_response_bytes);
    parser.header_limit(kHeaderLimit);
    parser.skip(request.method == "HEAD");
    const auto [read_error, received] = co_await http::async_read(stream, buffer, parser, no_throw);
    if (read_error) co_await unwind_if_cancelled();
    const bool answered = parser.got_some();
    if (read_error) {
        const bool sending = write_error && !answered;
        co_return Trip{failure(url, sending ? "request" : "answer", sending ? write_error : read_error), answered,
                       false};
    }
    const bool reusable = !write_error && parser.keep_alive() && buffer.size() == 0;
    auto answer = parser.release();
    HttpResponse response;
    response.status = answer.result_int();
    for (const auto& field : answer) response.headers.emplace_back(field.name_string(), field.value());
    response.body = std::move(answer.body());
    co_return Trip{std::move(response), true, reusable};
}

}  // namespace

Task<Result<std::unique_ptr<HttpConnection>>> HttpConnection::open(HttpUrl url, std::uint32_t mark,
                                                                   std::shared_ptr<asio::ssl::context> tls) {
    TcpTarget target{url.host, static_cast<std::uint16_t>(std::stoul(url.port)), mark};
    auto connecting = tcp_connect(std::move(target));
    auto socket = co_await std::move(connecting);
    if (!socket) co_return forward_error(socket);
    if (!url.tls) {
        co_return std::unique_ptr<HttpConnection>(new HttpConnection(url, mark, std::move(**socket), nullptr));
    }
    Tls stream(std::move(**socket), *tls);
    auto handshake = tls_handshake(&stream, url.host);
    auto secured = co_await std::move(handshake);
    if (!secured) co_return forward_error(secured, url.place());
    co_return std::unique_ptr<HttpConnection>(new HttpConnection(url, mark, std::move(stream), std::move(tls)));
}

Task<Trip> HttpConnection::exchange(HttpUrl url, const HttpRequest& request) {
    if (auto* plain = std::get_if<Plain>(&stream_)) co_return co_await round_trip(*plain, buffer_, url, request);
    co_return co_await round_trip(std::get<Tls>(stream_), buffer_, url, request);
}

bool HttpConnection::looks_alive() {
    auto* plain = std::get_if<Plain>(&stream_);
    auto& socket = plain ? *plain : std::get<Tls>(stream_).next_layer();
    char byte{};
    const auto peeked = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    // A TLS server may send session tickets after the first answer, so bytes alone do not condemn it there.
    if (peeked > 0) return !plain;
    return peeked < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

}  // namespace myst::sys::detail
