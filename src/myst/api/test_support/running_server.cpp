#include "myst/api/test_support/running_server.hpp"

#include <fmt/format.h>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>

#include "myst/base/check.hpp"

namespace myst::api::test_support {
namespace {

using asio::ip::tcp;

Task<> stop(TaskGroup& group) {
    group.cancel();
    co_await group.join();
}

}  // namespace

ServerSettings unlimited_settings() {
    constexpr std::size_t kMany = 1'000'000;
    ServerSettings settings;
    settings.port = 0;
    settings.gate.bad_tokens_per_minute = kMany;
    settings.gate.burst = kMany;
    return settings;
}

RunningServer::RunningServer(ServerSettings settings) : group_(context_.get_executor()) {
    auto server = Server::listen(context_.get_executor(), std::move(settings), digest_of_token(kToken), node, clock_);
    CHECK(server.has_value());
    server_ = std::move(*server);
    group_.spawn("api", server_->run());
    thread_ = std::thread([this] { context_.run(); });
}

RunningServer::~RunningServer() {
    asio::co_spawn(context_, stop(group_), [](std::exception_ptr error) { CHECK(!error); });
    thread_.join();
}

RawResponse send_raw(std::uint16_t port, std::string_view request) {
    asio::io_context context;
    tcp::socket socket(context);
    socket.connect(tcp::endpoint(asio::ip::address_v4::loopback(), port));
    boost::system::error_code ec;
    asio::write(socket, asio::buffer(request.data(), request.size()), ec);  // the server may refuse before the end
    std::string text;
    asio::read(socket, asio::dynamic_buffer(text), ec);
    RawResponse response;
    const auto split = text.find("\r\n\r\n");
    if (split == std::string::npos) return response;
    response.head = text.substr(0, split);
    response.body = text.substr(split + 4);
    constexpr std::size_t kStatusAt = 9;  // after "HTTP/1.1 "
    if (const auto status = parse_u64(std::string_view(response.head).substr(kStatusAt, 3))) {
        response.status = static_cast<unsigned>(*status);
    }
    return response;
}

std::string request_text(std::uint16_t port, std::string_view method, std::string_view target, std::string_view body,
                         std::string_view extra) {
    const auto content = body.empty()
                             ? std::string()
                             : fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
    return fmt::format(
        "{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n{}{}\r\n{}", method,
        target, port, kToken, content, extra, body);
}

}  // namespace myst::api::test_support
