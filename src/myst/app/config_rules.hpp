// What values of a key may look like. Each returns false (or nothing) for a text that is not permitted.
#pragma once

#include <string>
#include <string_view>

#include "myst/db/relay_url.hpp"

namespace myst::app {

/// An absolute path without "..".
[[nodiscard]] bool is_absolute_path(std::string_view text);
/// A URL with host and one of the two schemes.
[[nodiscard]] bool is_url(std::string_view text, std::string_view scheme, std::string_view secure_scheme);
/// A host that strangers can make use of: a public address, or a name of the public name service.
[[nodiscard]] bool is_public_host(const std::string& host);
/// An address that other nodes connect to if they find it in a record.
[[nodiscard]] bool is_for_strangers(const db::RelayUrl& url);
[[nodiscard]] bool is_ip(std::string_view text);
[[nodiscard]] bool is_loopback(std::string_view text);
/// "192.0.2.1:7777" or "[2001:db8::1]:7777"; the port is not 0.
[[nodiscard]] bool is_ip_and_port(std::string_view text);
/// "10.0.0.0/8"; an IP alone counts as a single address.
[[nodiscard]] bool is_network(std::string_view text);
/// An IPv4 network inside kTunnelRange with a prefix length of at most 29 and no host bits.
[[nodiscard]] bool is_pool(std::string_view text);
/// A public IPv4 address, alone or with a port.
[[nodiscard]] bool is_public_endpoint(std::string_view text);
/// A name of a Linux network interface.
[[nodiscard]] bool is_interface(std::string_view text);
/// No control characters, at most `limit` bytes.
[[nodiscard]] bool is_line(std::string_view text, std::size_t limit);

}  // namespace myst::app
