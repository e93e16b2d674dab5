#include "myst/sys/name_lookup.hpp"

#include <algorithm>
#include <memory>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

namespace myst::sys {
namespace {

using boost::system::error_code;
using tcp = asio::ip::tcp;
using Addresses = std::vector<asio::ip::address>;

/// A lookup that its waiter can leave: getaddrinfo itself cannot be interrupted.
struct Lookup {
    explicit Lookup(const asio::any_io_executor& executor) : resolver(executor), done(executor) {
        done.expires_at(asio::steady_timer::time_point::max());
    }
    tcp::resolver resolver;
    asio::steady_timer done;
    error_code ec;
    Addresses addresses;
    bool ended = false;

    void take(const error_code& outcome, const tcp::resolver::results_type& results) {
        ec = outcome;
        for (const auto& each : results) {
            const auto address = each.endpoint().address();
            if (std::find(addresses.begin(), addresses.end(), address) == addresses.end()) addresses.push_back(address);
        }
        ended = true;
        done.cancel();
    }
};

}  // namespace

Task<Result<Addresses>> look_up(std::string host) {
    error_code not_literal;
    const auto literal = asio::ip::make_address(host, not_literal);
    if (!not_literal) co_return Addresses(1, literal);
    const auto executor = co_await asio::this_coro::executor;
    auto lookup = std::make_shared<Lookup>(executor);
    lookup->resolver.async_resolve(host, "",
                                   [lookup](const error_code& ec, const auto& results) { lookup->take(ec, results); });
    while (!lookup->ended) {
        std::ignore = co_await lookup->done.async_wait(no_throw);
        if (!lookup->ended) co_await unwind_if_cancelled();
    }
    if (lookup->ec) co_return fail(ErrorCode::unavailable, "name lookup: " + lookup->ec.message());
    co_return std::move(lookup->addresses);
}

}  // namespace myst::sys
