// WebSocket on Boost.Beast, for those who open connections. Only for .cpp files.
#pragma once

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/websocket/rfc6455.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "myst/runtime/timeout.hpp"
#include "myst/sys/web_socket.hpp"

namespace myst::sys {

/// Without compression: nothing can unfold into more than the size limit, and a connection needs less memory.
template <class Stream>
using WebSocketStream = boost::beast::websocket::stream<Stream, false>;

/// What an error of Beast means to us.
[[nodiscard]] tl::unexpected<Error> socket_failure(const char* step, const boost::system::error_code& ec,
                                                   const boost::beast::websocket::close_reason& reason = {});

template <class Stream>
class BeastSocket final : public WebSocket {
public:
    BeastSocket(WebSocketStream<Stream> stream, std::shared_ptr<void> keep_alive)
        : keep_alive_(std::move(keep_alive)), stream_(std::move(stream)) {}
    ~BeastSocket() override { abort(); }

    [[nodiscard]] Task<Result<std::string>> read() override {
        const auto [ec, size] = co_await stream_.async_read(buffer_, no_throw);
        if (ec) {
            co_await unwind_if_cancelled();
            co_return socket_failure("reading", ec, stream_.reason());
        }
        std::string text(static_cast<const char*>(buffer_.data().data()), size);
        buffer_.consume(size);
        // A single large message must not hold its memory for the rest of the connection.
        if (buffer_.capacity() > kKeptBuffer) buffer_.shrink_to_fit();
        if (!stream_.got_text()) co_return fail(ErrorCode::invalid_data, "a binary message; only text is allowed");
        co_return text;
    }

    [[nodiscard]] Task<Result<>> write(std::shared_ptr<const std::string> message) override {
        stream_.text(true);
        const auto buffer = asio::buffer(*message);
        const auto [ec, size] = co_await stream_.async_write(buffer, no_throw);
        if (!ec) co_return Result<>();
        co_await unwind_if_cancelled();
        co_return socket_failure("writing", ec);
    }

    Task<> close(CloseCode code, std::string reason) override {
        auto limited = with_timeout(send_close(code, std::move(reason)), milliseconds(2000), "closing");
        std::ignore = co_await std::move(limited);
        abort();
    }

    void abort() override {
        boost::system::error_code ignored;
        boost::beast::get_lowest_layer(stream_).socket().close(ignored);
    }

private:
    static constexpr std::size_t kKeptBuffer = 16 * 1024;

    [[nodiscard]] Task<Result<>> send_close(CloseCode code, std::string text) {
        boost::beast::websocket::close_reason reason(static_cast<std::uint16_t>(code));
        reason.reason.assign(text.data(), std::min<std::size_t>(text.size(), 120));
        const auto [ec] = co_await stream_.async_close(reason, no_throw);
        if (!ec) co_return Result<>();
        co_await unwind_if_cancelled();
        co_return socket_failure("closing", ec);
    }

    std::shared_ptr<void> keep_alive_;  ///< TLS context, if any
    WebSocketStream<Stream> stream_;
    boost::beast::flat_buffer buffer_;
};

/// Settings that both sides share; before the handshake.
template <class Stream>
void prepare_web_socket(WebSocketStream<Stream>& stream, const WebSocketLimits& settings) {
    boost::beast::websocket::stream_base::timeout timeout{};
    timeout.handshake_timeout = settings.handshake_timeout;
    timeout.idle_timeout = settings.idle_timeout;
    timeout.keep_alive_pings = true;
    stream.set_option(timeout);
    stream.read_message_max(settings.max_message_bytes);
    boost::beast::get_lowest_layer(stream).expires_never();
}

}  // namespace myst::sys
