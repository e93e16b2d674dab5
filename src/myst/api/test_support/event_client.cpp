#include "myst/api/test_support/event_client.hpp"

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "myst/api/test_support/running_server.hpp"

namespace myst::api::test_support {

namespace websocket = boost::beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;

struct EventClient::Impl {
    asio::io_context context;
    websocket::stream<tcp::socket, false> stream{context};
    boost::beast::flat_buffer buffer;
    websocket::response_type response;
};

EventClient::EventClient(std::uint16_t port) : impl_(std::make_unique<Impl>()) {
    auto& stream = impl_->stream;
    stream.next_layer().connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
    stream.set_option(websocket::stream_base::decorator([](websocket::request_type& request) {
        request.set(boost::beast::http::field::authorization, fmt::format("Bearer {}", kToken));
    }));
    error_code ec;
    stream.handshake(impl_->response, fmt::format("127.0.0.1:{}", port), "/v1/events", ec);
}

EventClient::~EventClient() = default;

unsigned EventClient::status() const {
    return impl_->response.result_int();
}

void EventClient::send(std::string_view text) {
    error_code ec;  // the server may have closed already
    impl_->stream.text(true);
    impl_->stream.write(asio::buffer(text.data(), text.size()), ec);
}

void EventClient::send_binary(std::string_view bytes) {
    error_code ec;
    impl_->stream.binary(true);
    impl_->stream.write(asio::buffer(bytes.data(), bytes.size()), ec);
}

void EventClient::subscribe(std::string_view filter) {
    send(fmt::format(R"({{"v":1,"subscribe":"proposals","filter":{}}})", filter));
}

std::string EventClient::read() {
    error_code ec;
    const auto size = impl_->stream.read(impl_->buffer, ec);
    if (ec) return "";
    std::string text(static_cast<const char*>(impl_->buffer.data().data()), size);
    impl_->buffer.consume(size);
    return text;
}

std::string EventClient::read_to_end() {
    std::string last;
    for (auto text = read(); !text.empty(); text = read()) last = std::move(text);
    return last;
}

unsigned EventClient::close_code() const {
    return impl_->stream.reason().code;
}

std::string EventClient::close_reason() const {
    const auto& reason = impl_->stream.reason().reason;
    return {reason.data(), reason.size()};
}

void EventClient::leave() {
    error_code ec;
    impl_->stream.next_layer().close(ec);
}

}  // namespace myst::api::test_support
