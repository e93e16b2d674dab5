#include "myst/db/web_socket.hpp"

#include <fmt/format.h>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/websocket/ssl.hpp>

#include "myst/sys/beast_socket.hpp"
#include "myst/sys/tcp_connect.hpp"
#include "myst/sys/tls_client.hpp"

namespace myst::db {
namespace {

namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;

template <class Stream>
Task<Result<std::unique_ptr<WebSocket>>> upgrade(Stream next, RelayUrl url, WebSocketSettings settings,
                                                 std::shared_ptr<void> keep_alive) {
    sys::WebSocketStream<Stream> stream(std::move(next));
    sys::prepare_web_socket(stream, settings);
    stream.set_option(
        websocket::stream_base::decorator([id = settings.connection_id](websocket::request_type& request) {
            request.set(boost::beast::http::field::user_agent, "mysterium");
            if (!id.empty())
                request.set(boost::beast::string_view(kConnectionHeader.data(), kConnectionHeader.size()), id);
        }));
    const auto host = url.authority();
    const auto [ec] = co_await stream.async_handshake(host, url.target, no_throw);
    if (ec) {
        co_await unwind_if_cancelled();
        co_return fail(ErrorCode::unavailable, fmt::format("{}: WebSocket handshake: {}", host, ec.message()));
    }
    co_return std::make_unique<sys::BeastSocket<Stream>>(std::move(stream), std::move(keep_alive));
}

Task<Result<std::unique_ptr<WebSocket>>> connect(RelayUrl url, WebSocketSettings settings) {
    sys::TcpTarget target{settings.address ? settings.address->to_string() : url.host, url.port, settings.mark};
    auto connecting = sys::tcp_connect(std::move(target));
    auto socket = co_await std::move(connecting);
    if (!socket) co_return forward_error(socket);
    beast::tcp_stream plain(std::move(**socket));
    if (!url.tls) {
        auto upgrading = upgrade(std::move(plain), url, settings, nullptr);
        co_return co_await std::move(upgrading);
    }
    auto context = sys::make_tls_context(settings.ca_file);
    if (!context) co_return forward_error(context);
    asio::ssl::stream<beast::tcp_stream> stream(std::move(plain), **context);
    auto handshake = sys::tls_handshake(&stream, url.host);
    auto secured = co_await std::move(handshake);
    if (!secured) co_return forward_error(secured, url.authority());
    auto upgrading = upgrade(std::move(stream), url, settings, std::move(*context));
    co_return co_await std::move(upgrading);
}

}  // namespace

Task<Result<std::unique_ptr<WebSocket>>> connect_web_socket(RelayUrl url, WebSocketSettings settings) {
    const auto limit = settings.handshake_timeout;
    auto what = fmt::format("{}: no connection within {} ms", url.authority(), limit.count());
    auto limited = with_timeout(connect(std::move(url), std::move(settings)), limit, std::move(what));
    co_return co_await std::move(limited);
}

}  // namespace myst::db
