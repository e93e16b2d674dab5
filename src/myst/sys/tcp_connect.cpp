#include "myst/sys/tcp_connect.hpp"

#include <sys/socket.h>

#include <vector>

#include <boost/asio/steady_timer.hpp>

#include "myst/runtime/timeout.hpp"

namespace myst::sys {
namespace {

using boost::system::error_code;
using tcp = asio::ip::tcp;
using Socket = std::unique_ptr<tcp::socket>;

constexpr milliseconds kAddressLimit{5000};

tl::unexpected<Error> failure(const TcpTarget& target, const char* step, const error_code& ec) {
    return fail(ErrorCode::unavailable, target.place() + ": " + step + ": " + ec.message());
}

/// A name lookup that its waiter can leave: getaddrinfo itself cannot be interrupted.
struct Lookup {
    explicit Lookup(const asio::any_io_executor& executor) : resolver(executor), done(executor) {
        done.expires_at(asio::steady_timer::time_point::max());
    }
    tcp::resolver resolver;
    asio::steady_timer done;
    error_code ec;
    std::vector<tcp::endpoint> endpoints;
    bool ended = false;
};

Task<Result<std::vector<tcp::endpoint>>> resolve(TcpTarget target) {
    error_code not_literal;
    const auto address = asio::ip::make_address(target.host, not_literal);
    if (!not_literal) co_return std::vector<tcp::endpoint>(1, tcp::endpoint(address, target.port));
    const auto executor = co_await asio::this_coro::executor;
    auto lookup = std::make_shared<Lookup>(executor);
    lookup->resolver.async_resolve(target.host, std::to_string(target.port),
                                   [lookup](const error_code& ec, auto results) {
                                       lookup->ec = ec;
                                       for (const auto& each : results) lookup->endpoints.push_back(each.endpoint());
                                       lookup->ended = true;
                                       lookup->done.cancel();
                                   });
    while (!lookup->ended) {
        std::ignore = co_await lookup->done.async_wait(no_throw);
        if (!lookup->ended) co_await unwind_if_cancelled();
    }
    if (lookup->ec) co_return failure(target, "name lookup", lookup->ec);
    co_return std::move(lookup->endpoints);
}

Task<Result<Socket>> connect_to(TcpTarget target, tcp::endpoint endpoint) {
    auto socket = std::make_unique<tcp::socket>(co_await asio::this_coro::executor);
    error_code ec;
    socket->open(endpoint.protocol(), ec);
    if (ec) co_return failure(target, "socket", ec);
    const auto mark = target.mark;
    if (mark != 0 && ::setsockopt(socket->native_handle(), SOL_SOCKET, SO_MARK, &mark, sizeof mark) != 0) {
        const error_code refused(errno, boost::system::system_category());
        co_return fail(ErrorCode::permission_denied,
                       target.place() + ": setting the firewall mark: " + refused.message(),
                       "run with CAP_NET_ADMIN, or without a mark");
    }
    const auto [connected] = co_await socket->async_connect(endpoint, no_throw);
    if (connected) {
        co_await unwind_if_cancelled();
        co_return failure(target, "connection", connected);
    }
    socket->set_option(tcp::no_delay(true), ec);
    co_return std::move(socket);
}

}  // namespace

Task<Result<Socket>> tcp_connect(TcpTarget target) {
    auto endpoints = co_await resolve(target);
    if (!endpoints) co_return forward_error(endpoints);
    Result<Socket> outcome = fail(ErrorCode::unavailable, target.place() + ": the name has no address");
    for (const auto& endpoint : *endpoints) {
        auto attempt = connect_to(target, endpoint);
        if (endpoints->size() > 1) {
            auto what = target.place() + ": no answer to the connection attempt";
            attempt = with_timeout(std::move(attempt), kAddressLimit, std::move(what));
        }
        outcome = co_await std::move(attempt);
        if (outcome) break;
    }
    co_return outcome;
}

}  // namespace myst::sys
