#include "api_client.hpp"

#include <fmt/format.h>
#include <boost/json/value.hpp>

#include "myst/base/amount.hpp"
#include "myst/crypto/strict_json.hpp"
#include "myst/runtime/timeout.hpp"
#include "myst/sys/beast_socket.hpp"
#include "myst/sys/file.hpp"
#include "myst/sys/http_url.hpp"
#include "myst/sys/tcp_connect.hpp"

namespace myst::console {
namespace {

namespace json = boost::json;
namespace websocket = boost::beast::websocket;

constexpr std::string_view kDefaultUrl = "http://127.0.0.1:4449";
constexpr std::size_t kMaxFileBytes = 256;
constexpr std::size_t kMaxReplyBytes = std::size_t{16} << 20;

std::string how_to_start() {
    return "start it with \"mystd --config FILE\"; if it runs elsewhere, use --data-dir";
}

/// First line of a small file.
Result<std::string> line_of(const std::string& path) {
    auto content = sys::read_file(path, kMaxFileBytes);
    if (!content) return forward_error(content);
    const auto text = as_text(*content);
    return std::string(text.substr(0, text.find('\n')));
}

Outcome<std::string> find_url(const Options& options) {
    std::string url = options.api;
    if (url.empty()) {
        auto line = line_of(options.data_dir + "/api-address");
        url = line ? *line : std::string(kDefaultUrl);
    }
    while (url.ends_with('/')) url.pop_back();
    for (const std::string_view start : {"http://127.0.0.1:", "http://localhost:", "http://[::1]:"}) {
        const auto port =
            url.starts_with(start) ? parse_u64(std::string_view(url).substr(start.size())) : Result<std::uint64_t>{0};
        if (port && *port >= 1 && *port <= 65535) return url;
    }
    return give_up(Exit::usage, Error{ErrorCode::invalid_argument, "the API must be on this machine, not " + url,
                                      "use http://127.0.0.1:PORT; reach another machine through an SSH tunnel"});
}

Outcome<std::string> find_token(const Options& options) {
    const auto path = options.token_file.empty() ? options.data_dir + "/api-token" : options.token_file;
    auto line = line_of(path);
    if (line) return *line;
    auto error = line.error().in("API token");
    if (error.code == ErrorCode::not_found) {
        error.cure = "the daemon writes it when it starts: " + how_to_start();
        return give_up(Exit::daemon_unreachable, std::move(error));
    }
    if (error.code == ErrorCode::permission_denied) {
        error.cure = "run myst as the daemon's user, or give a readable copy by --token-file";
    }
    return give_up(Exit::failure, std::move(error));
}

ErrorCode code_named(std::string_view name) {
    for (const auto code :
         {ErrorCode::invalid_argument, ErrorCode::invalid_data, ErrorCode::not_found, ErrorCode::already_exists,
          ErrorCode::permission_denied, ErrorCode::unavailable, ErrorCode::timeout, ErrorCode::limit_exceeded,
          ErrorCode::failed_precondition, ErrorCode::insufficient_funds, ErrorCode::io}) {
        if (to_string(code) == name) return code;
    }
    return ErrorCode::internal;
}

Failure not_understood(unsigned status) {
    return Failure{Exit::failure, Error{ErrorCode::invalid_data,
                                        fmt::format("the daemon's answer (HTTP {}) is not understood", status),
                                        "myst and mystd should be of the same version"}};
}

std::string member(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(json::string_view(name.data(), name.size()));
    return value != nullptr && value->is_string() ? std::string(value->get_string().c_str()) : std::string();
}

Failure failure_of(const json::object& body, unsigned status) {
    const auto* error = body.if_contains("error");
    if (error == nullptr || !error->is_object()) return not_understood(status);
    const auto& object = error->get_object();
    const auto code = code_named(member(object, "code"));
    const auto exit = code == ErrorCode::insufficient_funds ? Exit::no_funds : Exit::failure;
    return Failure{exit, Error{code, member(object, "message"), member(object, "cure")}};
}

/// The daemon has not upgraded the connection: its answer says why, if it came.
Failure not_upgraded(const websocket::response_type& response, const boost::system::error_code& ec) {
    const auto value = crypto::parse_json({response.body().data(), response.body().size()}, kMaxReplyBytes);
    const auto* object = value ? value->if_object() : nullptr;
    if (object != nullptr) return failure_of(*object, response.result_int());
    return lost_daemon(Error{ErrorCode::unavailable, ec.message()});
}

}  // namespace

Failure failure_of(const json::value& body) {
    const auto* object = body.if_object();
    return object != nullptr ? failure_of(*object, 0) : not_understood(0);
}

Failure lost_daemon(Error why) {
    why.code = ErrorCode::unavailable;
    why.cure = how_to_start();
    return Failure{Exit::daemon_unreachable, std::move(why).in("the connection to the daemon has ended")};
}

Outcome<ApiClient> ApiClient::open(const Options& options) {
    auto url = find_url(options);
    if (!url) return tl::unexpected<Failure>(std::move(url).error());
    auto token = find_token(options);
    if (!token) return tl::unexpected<Failure>(std::move(token).error());
    return ApiClient(std::move(*url), std::move(*token));
}

Task<Outcome<Reply>> ApiClient::call(std::string method, std::string path, std::string body, milliseconds timeout) {
    sys::HttpRequest request;
    request.method = std::move(method);
    request.url = url_ + path;
    request.headers.emplace_back("Authorization", "Bearer " + token_);
    if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
    request.body = std::move(body);
    request.timeout = timeout;
    request.max_response_bytes = kMaxReplyBytes;
    auto response = co_await http_.request(std::move(request));
    if (!response) {
        const bool is_down = response.error().code == ErrorCode::unavailable;
        Error error = std::move(response).error().in("the daemon is not reachable");
        if (is_down) error.cure = how_to_start();
        co_return give_up(is_down ? Exit::daemon_unreachable : Exit::failure, std::move(error));
    }
    auto value = crypto::parse_json(response->body, kMaxReplyBytes);
    const auto* object = value ? value->if_object() : nullptr;
    const auto* version = object != nullptr ? object->if_contains("v") : nullptr;
    if (version == nullptr || *version != 1) co_return tl::unexpected<Failure>(not_understood(response->status));
    constexpr unsigned kFirstFailure = 300;
    if (response->status >= kFirstFailure) co_return tl::unexpected<Failure>(failure_of(*object, response->status));
    co_return Reply{std::move(response->body), std::move(*value)};
}

Task<Outcome<std::unique_ptr<sys::WebSocket>>> ApiClient::open_events() {
    using Stream = boost::beast::tcp_stream;
    const auto url = sys::parse_http_url(url_ + "/v1/events");
    const auto port = url ? parse_u64(url->port) : Result<std::uint64_t>(0);
    if (!url || !port) co_return give_up(Exit::usage, Error{ErrorCode::invalid_argument, "the API is not at " + url_});
    sys::WebSocketLimits limits;
    limits.max_message_bytes = kMaxEventBytes;
    std::string late = "no connection in time";
    auto connecting = sys::tcp_connect({url->host, static_cast<std::uint16_t>(*port)});
    auto socket = co_await with_timeout(std::move(connecting), limits.handshake_timeout, std::move(late));
    if (!socket) {
        auto error = std::move(socket).error().in("the daemon is not reachable");
        error.cure = how_to_start();
        co_return give_up(Exit::daemon_unreachable, std::move(error));
    }
    sys::WebSocketStream<Stream> stream{Stream(std::move(**socket))};
    sys::prepare_web_socket(stream, limits);
    stream.set_option(websocket::stream_base::decorator([token = token_](websocket::request_type& request) {
        request.set(boost::beast::http::field::authorization, "Bearer " + token);
    }));
    websocket::response_type response;
    const auto [ec] = co_await stream.async_handshake(response, url->authority, url->target, no_throw);
    if (ec) co_return tl::unexpected<Failure>(not_upgraded(response, ec));
    co_return std::make_unique<sys::BeastSocket<Stream>>(std::move(stream), nullptr);
}

}  // namespace myst::console
