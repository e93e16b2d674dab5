#include "myst/db/relay_handshake.hpp"

#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include "myst/sys/beast_socket.hpp"

namespace myst::db::detail {
namespace {

namespace http = boost::beast::http;
namespace websocket = boost::beast::websocket;
using boost::system::error_code;
using sys::BeastSocket;
using sys::prepare_web_socket;
using sys::socket_failure;
using sys::WebSocketStream;

constexpr std::uint32_t kHeaderLimit = 8 * 1024;

using Request = http::request<http::empty_body>;
using Response = http::response<http::string_body>;

bool accepts_information(const Request& request) {
    const auto accept = request[http::field::accept];
    return std::string_view(accept.data(), accept.size()).find("application/nostr+json") != std::string_view::npos;
}

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::string last_forwarded_for(const Request& request) {
    std::string last;
    for (const auto& field : request) {
        if (!boost::beast::iequals(field.name_string(), "X-Forwarded-For")) continue;
        const std::string_view value(field.value().data(), field.value().size());
        const auto comma = value.rfind(',');
        last = trimmed(comma == std::string_view::npos ? value : value.substr(comma + 1));
    }
    return last;
}

std::string connection_id(const Request& request) {
    const auto value = request[boost::beast::string_view(kConnectionHeader.data(), kConnectionHeader.size())];
    return {value.data(), value.size()};
}

Response refusal(const Request& request) {
    Response response(http::status::service_unavailable, request.version());
    response.set(http::field::retry_after, "30");
    return response;
}

Response answer(const Request& request, const std::string& information) {
    Response response(http::status::ok, request.version());
    // NIP-11 demands that web pages of any origin can read the document.
    response.set(http::field::access_control_allow_origin, "*");
    response.set(http::field::access_control_allow_headers, "*");
    response.set(http::field::access_control_allow_methods, "GET");
    response.set("X-Content-Type-Options", "nosniff");
    if (request.method() == http::verb::options) {
        response.result(http::status::no_content);
    } else if (request.method() != http::verb::get) {
        response.result(http::status::method_not_allowed);
        response.set(http::field::allow, "GET, OPTIONS");
    } else if (accepts_information(request)) {
        response.set(http::field::content_type, "application/nostr+json");
        response.body() = information;
    } else {
        response.result(http::status::upgrade_required);
        response.set(http::field::upgrade, "websocket");
        response.set(http::field::content_type, "text/plain");
        response.body() = "This is a Nostr relay. Connect to it with a WebSocket client.\n";
    }
    return response;
}

Task<Result<std::unique_ptr<WebSocket>>> upgrade(boost::beast::tcp_stream stream, Request request,
                                                 WebSocketSettings settings) {
    WebSocketStream<boost::beast::tcp_stream> upgraded(std::move(stream));
    prepare_web_socket(upgraded, settings);
    const auto [ec] = co_await upgraded.async_accept(request, no_throw);
    if (ec) {
        co_await unwind_if_cancelled();
        co_return socket_failure("upgrading", ec);
    }
    co_return std::make_unique<BeastSocket<boost::beast::tcp_stream>>(std::move(upgraded), nullptr);
}

}  // namespace

Task<Result<std::unique_ptr<WebSocket>>> accept_client(asio::ip::tcp::socket socket,
                                                       std::shared_ptr<const std::string> information,
                                                       WebSocketSettings settings, Admit admit) {
    boost::beast::tcp_stream stream(std::move(socket));
    stream.expires_after(settings.handshake_timeout);
    boost::beast::flat_buffer buffer;
    http::request_parser<http::empty_body> parser;
    parser.header_limit(kHeaderLimit);
    parser.body_limit(0);
    const auto [read_error, received] = co_await http::async_read(stream, buffer, parser, no_throw);
    if (read_error) {
        co_await unwind_if_cancelled();
        co_return socket_failure("reading the request", read_error);
    }
    Request request = parser.release();
    const bool admitted = admit(Visitor{last_forwarded_for(request), connection_id(request)}) == Welcome::come_in;
    if (admitted && websocket::is_upgrade(request)) {
        co_return co_await upgrade(std::move(stream), std::move(request), std::move(settings));
    }
    Response response = admitted ? answer(request, *information) : refusal(request);
    response.keep_alive(false);
    response.prepare_payload();
    const auto [write_error, sent] = co_await http::async_write(stream, response, no_throw);
    if (write_error) {
        co_await unwind_if_cancelled();
        co_return socket_failure("answering", write_error);
    }
    error_code ignored;
    stream.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
    co_return std::unique_ptr<WebSocket>();
}

}  // namespace myst::db::detail
