#include "myst/api/server.hpp"

#include <fmt/format.h>
#include <boost/asio/ip/tcp.hpp>

#include "myst/api/http_connection.hpp"
#include "myst/base/log.hpp"
#include "myst/runtime/task_group.hpp"

namespace myst::api {
namespace {

using asio::ip::tcp;
using boost::system::error_code;

constexpr milliseconds kAcceptPause{100};
constexpr std::size_t kMostLeaving = 4;

Result<tcp::endpoint> loopback_endpoint(const ServerSettings& settings) {
    error_code ec;
    const auto address = asio::ip::make_address(settings.address, ec);
    if (!ec && address.is_loopback()) return tcp::endpoint(address, settings.port);
    return fail(ErrorCode::invalid_argument, "api: " + settings.address + " is not a loopback address",
                "set api.address to 127.0.0.1 or ::1; reach the API from elsewhere through an SSH tunnel");
}

std::string host_and_port(const asio::ip::address& address, std::uint16_t port) {
    if (address.is_v6()) return fmt::format("[{}]:{}", address.to_string(), port);
    return fmt::format("{}:{}", address.to_string(), port);
}

std::vector<std::string> allowed_hosts(const tcp::endpoint& bound) {
    return {fmt::format("127.0.0.1:{}", bound.port()), fmt::format("localhost:{}", bound.port()),
            fmt::format("[::1]:{}", bound.port()), host_and_port(bound.address(), bound.port())};
}

Result<> open_acceptor(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
    error_code ec;
    acceptor.open(endpoint.protocol(), ec);
    if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor.bind(endpoint, ec);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (!ec) return {};
    return fail(
        ErrorCode::unavailable,
        fmt::format("api: listening on {}: {}", host_and_port(endpoint.address(), endpoint.port()), ec.message()),
        "another mystd may be running; stop it or set api.port to another number");
}

}  // namespace

struct Server::Impl {
    explicit Impl(const asio::any_io_executor& executor) : acceptor(executor), connections(executor) {}

    tcp::acceptor acceptor;
    Strangers strangers;
    std::size_t event_clients = 0;
    TaskGroup connections;
    tcp::endpoint bound;
    std::size_t max_connections = 0;
    std::unique_ptr<Gatekeeper> gatekeeper;
    std::unique_ptr<ConnectionContext> context;

    Task<> accept_all();
};

Task<> Server::Impl::accept_all() {
    while (acceptor.is_open()) {
        auto [ec, socket] = co_await acceptor.async_accept(no_throw);
        if (ec == asio::error::operation_aborted) co_return;
        if (ec) {
            log::warn("api: accepting a connection: {}", ec.message());
            co_await sleep_for(kAcceptPause);
            continue;
        }
        // One that was turned out may take a moment to go, so for a while there are more than `max_connections`.
        const bool is_full = connections.size() >= max_connections;
        if (is_full && (connections.size() >= kMostLeaving * max_connections || !strangers.turn_out_oldest())) {
            refuse_connection(std::move(socket));
            continue;
        }
        connections.spawn("api connection", serve_connection(std::move(socket), *context));
    }
}

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::listen(asio::any_io_executor executor, ServerSettings settings,
                                               TokenDigest token, node::Control& node, const Clock& clock) {
    auto endpoint = loopback_endpoint(settings);
    if (!endpoint) return forward_error(endpoint);
    auto impl = std::make_unique<Impl>(executor);
    if (auto opened = open_acceptor(impl->acceptor, *endpoint); !opened) return forward_error(opened);
    error_code ec;
    impl->bound = impl->acceptor.local_endpoint(ec);
    if (ec) return fail(ErrorCode::io, "api: local address: " + ec.message());
    impl->max_connections = settings.max_connections;
    impl->gatekeeper = std::make_unique<Gatekeeper>(allowed_hosts(impl->bound), token, settings.gate);
    impl->context = std::make_unique<ConnectionContext>(
        ConnectionContext{*impl->gatekeeper, node, clock, impl->strangers, settings.header_timeout,
                          settings.transfer_timeout, settings.events, impl->event_clients});
    return std::unique_ptr<Server>(new Server(std::move(impl)));
}

Task<> Server::run() {
    auto& impl = *impl_;
    std::function<void()> stop = [&impl] {
        error_code ignored;
        impl.acceptor.close(ignored);
    };
    co_await with_children(impl.accept_all(), impl.connections, std::move(stop));
    throw boost::system::system_error(asio::error::operation_aborted);
}

std::uint16_t Server::local_port() const {
    return impl_->bound.port();
}

std::string Server::url() const {
    return "http://" + host_and_port(impl_->bound.address(), impl_->bound.port());
}

}  // namespace myst::api
