// Which addresses named by strangers a node may connect to, and which of them stand in one network (docs/records.md).
// Pure.
#pragma once

#include <optional>
#include <string>

#include <boost/asio/ip/address.hpp>

#include "myst/db/relay_url.hpp"
#include "myst/runtime/task.hpp"

namespace myst::db {

/// Which addresses count. `any` is for test networks: loopback and private ones as well.
enum class AddressScope { public_only, any };

/// An ordinary host of the internet: outside the special ranges of base/ip_ranges.hpp, and inside 2000::/3 without the
/// ranges that document, test or hide an IPv4 address.
[[nodiscard]] bool is_public_address(const asio::ip::address& address);
/// Whether a connection to this address is permitted. Never to the unspecified address or to a multicast one.
[[nodiscard]] bool may_connect(const asio::ip::address& address, AddressScope scope);
/// 80, 443, and from 1024: no mail server, no SSH.
[[nodiscard]] bool may_connect(std::uint16_t port);

/// The address that a URL's host is, if it is a literal.
[[nodiscard]] std::optional<asio::ip::address> literal_of(const RelayUrl& url);
/// "93.184.0.0/16", "2a00:1450::/32"; of an address that is not public, "10.0.0.1:7777", so that each is a group.
[[nodiscard]] std::string group_of(const asio::ip::address& address, std::uint16_t port);
/// As far as it can be told without a lookup: of a literal as above, of a name its last two labels.
[[nodiscard]] std::string group_of(const RelayUrl& url);

}  // namespace myst::db
