#include "myst/db/peer_lookup.hpp"

#include "myst/runtime/timeout.hpp"

namespace myst::db {

Task<Result<asio::ip::address>> permitted_address(LookUp look_up, RelayUrl url, AddressScope scope,
                                                  milliseconds limit) {
    if (!may_connect(url.port)) co_return fail(ErrorCode::permission_denied, "its port may not be connected to");
    auto limited = with_timeout(look_up(url.host), limit, "name lookup: no answer");
    auto addresses = co_await std::move(limited);
    if (!addresses) co_return forward_error(addresses);
    for (const auto& address : *addresses) {
        if (may_connect(address, scope)) co_return address;
    }
    co_return fail(ErrorCode::permission_denied, "it has no address that may be connected to");
}

}  // namespace myst::db
