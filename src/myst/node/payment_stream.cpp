#include "myst/node/payment_stream.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "myst/base/failpoint.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::node {
namespace {

using asio::ip::tcp;

Error stream_error(std::string_view what, const boost::system::error_code& ec) {
    return Error{ErrorCode::unavailable, "payment stream: " + std::string(what) + ": " + ec.message()};
}

}  // namespace

struct PaymentStream::Socket {
    explicit Socket(tcp::socket connected) : socket(std::move(connected)) {
        boost::system::error_code ec;
        socket.set_option(tcp::no_delay(true), ec);
        remote = socket.remote_endpoint(ec).address().to_string();
    }
    Task<Result<pay::Frame>> receive();
    tcp::socket socket;
    std::string remote;
};

Task<Result<pay::Frame>> PaymentStream::Socket::receive() {
    std::array<std::uint8_t, pay::kFrameHeaderSize> header{};
    auto [header_error, header_size] = co_await asio::async_read(socket, asio::buffer(header), no_throw);
    if (header_error) co_return tl::unexpected(stream_error("receiving", header_error));
    const std::size_t length = (static_cast<std::size_t>(header[0]) << 8) | header[1];
    if (length == 0 || length > pay::kMaxFrameLength) {
        co_return fail(ErrorCode::invalid_data, "payment stream: a frame of " + std::to_string(length) + " bytes");
    }
    Bytes body(length);
    auto [body_error, body_size] = co_await asio::async_read(socket, asio::buffer(body), no_throw);
    if (body_error) co_return tl::unexpected(stream_error("receiving", body_error));
    co_return pay::decode_frame(body);
}

namespace {

Task<Result<tcp::socket>> connect_socket(tcp::endpoint from, tcp::endpoint to) {
    tcp::socket socket(co_await asio::this_coro::executor);
    boost::system::error_code bind_error;
    socket.open(to.protocol(), bind_error);
    if (!bind_error) socket.bind(from, bind_error);
    if (bind_error) co_return tl::unexpected(stream_error("binding to the tunnel address", bind_error));
    auto [ec] = co_await socket.async_connect(to, no_throw);
    if (ec) co_return tl::unexpected(stream_error("connecting", ec));
    co_return std::move(socket);
}

}  // namespace

Task<Result<PaymentStream>> PaymentStream::connect(std::string own, std::string address, std::uint16_t port,
                                                   milliseconds limit) {
    boost::system::error_code own_error;
    boost::system::error_code peer_error;
    const tcp::endpoint from(asio::ip::make_address(own, own_error), 0);
    const tcp::endpoint to(asio::ip::make_address(address, peer_error), port);
    if (own_error || peer_error) co_return fail(ErrorCode::invalid_argument, "payment stream: bad address");
    std::string silent = "payment stream: the provider is silent";
    auto socket = co_await with_timeout(connect_socket(from, to), limit, std::move(silent));
    if (!socket) co_return forward_error(socket);
    co_return PaymentStream(std::make_unique<Socket>(std::move(*socket)));
}

PaymentStream::PaymentStream(std::unique_ptr<Socket> socket) : socket_(std::move(socket)) {}
PaymentStream::PaymentStream(PaymentStream&&) noexcept = default;
PaymentStream& PaymentStream::operator=(PaymentStream&&) noexcept = default;
PaymentStream::~PaymentStream() = default;

const std::string& PaymentStream::remote_address() const {
    return socket_->remote;
}

Task<Result<>> PaymentStream::send(pay::Frame frame) {
    const auto bytes = pay::encode_frame(frame);
    failpoint("payment stream: about to send");
    auto [ec, size] = co_await asio::async_write(socket_->socket, asio::buffer(bytes), no_throw);
    if (ec) co_return tl::unexpected(stream_error("sending", ec));
    failpoint("payment stream: sent");
    co_return Result<>();
}

Task<Result<pay::Frame>> PaymentStream::receive(milliseconds limit) {
    return with_timeout(socket_->receive(), limit, "payment stream: the peer is silent");
}

void PaymentStream::close() {
    boost::system::error_code ec;
    socket_->socket.close(ec);
}

struct PaymentListener::Acceptor {
    explicit Acceptor(const asio::any_io_executor& executor) : acceptor(executor) {}
    tcp::acceptor acceptor;
};

Result<PaymentListener> PaymentListener::adopt(const asio::any_io_executor& executor, int descriptor) {
    auto acceptor = std::make_unique<Acceptor>(executor);
    boost::system::error_code ec;
    acceptor->acceptor.assign(tcp::v4(), descriptor, ec);
    if (ec) return fail(ErrorCode::io, "payment listener: " + ec.message());
    return PaymentListener(std::move(acceptor));
}

PaymentListener::PaymentListener(std::unique_ptr<Acceptor> acceptor) : acceptor_(std::move(acceptor)) {}
PaymentListener::PaymentListener(PaymentListener&&) noexcept = default;
PaymentListener& PaymentListener::operator=(PaymentListener&&) noexcept = default;
PaymentListener::~PaymentListener() = default;

std::uint16_t PaymentListener::port() const {
    boost::system::error_code ec;
    return acceptor_->acceptor.local_endpoint(ec).port();
}

Task<Result<PaymentStream>> PaymentListener::accept() {
    auto [ec, socket] = co_await acceptor_->acceptor.async_accept(no_throw);
    if (ec) co_return tl::unexpected(stream_error("accepting", ec));
    co_return PaymentStream(std::make_unique<PaymentStream::Socket>(std::move(socket)));
}

}  // namespace myst::node
