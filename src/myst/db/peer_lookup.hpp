// From a URL that a stranger has written to the one address that may be connected to (docs/records.md, "Addresses from
// strangers").
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "myst/base/clock.hpp"
#include "myst/db/peer_address.hpp"

namespace myst::db {

/// The addresses of a host; see sys::SideLookup::look_up.
using LookUp = std::function<Task<Result<std::vector<asio::ip::address>>>(std::string host)>;

/// Looks the host up once, for at most `limit`; the first address that is permitted. permission_denied: none is, or the
/// port is not.
[[nodiscard]] Task<Result<asio::ip::address>> permitted_address(LookUp look_up, RelayUrl url, AddressScope scope,
                                                                milliseconds limit);

}  // namespace myst::db
