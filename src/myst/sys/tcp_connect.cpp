#include "myst/sys/tcp_connect.hpp"

#include <sys/socket.h>

#include "myst/runtime/timeout.hpp"
#include "myst/sys/name_lookup.hpp"

namespace myst::sys {
namespace {

using boost::system::error_code;
using tcp = asio::ip::tcp;
using Socket = std::unique_ptr<tcp::socket>;

constexpr milliseconds kAddressLimit{5000};

tl::unexpected<Error> failure(const TcpTarget& target, const char* step, const error_code& ec) {
    return fail(ErrorCode::unavailable, target.place() + ": " + step + ": " + ec.message());
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
    auto addresses = co_await look_up(target.host);
    if (!addresses) co_return forward_error(addresses, target.place());
    Result<Socket> outcome = fail(ErrorCode::unavailable, target.place() + ": the name has no address");
    for (const auto& address : *addresses) {
        auto attempt = connect_to(target, tcp::endpoint(address, target.port));
        if (addresses->size() > 1) {
            auto what = target.place() + ": no answer to the connection attempt";
            attempt = with_timeout(std::move(attempt), kAddressLimit, std::move(what));
        }
        outcome = co_await std::move(attempt);
        if (outcome) break;
    }
    co_return outcome;
}

}  // namespace myst::sys
