// IP addresses and networks as text: strict parsing of what settings and other nodes say.
#pragma once

#include <cstdint>
#include <string>

#include "myst/base/error.hpp"

namespace myst::vpn {

/// An IPv4 address as a number, 192.0.2.1 = 0xc0000201.
struct Ipv4 {
    std::uint32_t value = 0;
    /// Four decimal numbers without leading zeros; anything else is invalid_argument.
    [[nodiscard]] static Result<Ipv4> parse(const std::string& text);
    [[nodiscard]] std::string to_string() const;
    auto operator<=>(const Ipv4&) const = default;
};

/// "192.0.2.0/24" or a single address. Bits behind the prefix must be zero.
struct Ipv4Network {
    Ipv4 address;
    std::uint8_t prefix = 32;
    [[nodiscard]] static Result<Ipv4Network> parse(const std::string& text);
    [[nodiscard]] bool contains(Ipv4 other) const;
    [[nodiscard]] std::string to_string() const;
};

/// The canonical text of an IPv4 or IPv6 literal without a zone; invalid_argument for names and special addresses
/// that no other host can have.
[[nodiscard]] Result<std::string> parse_host_literal(const std::string& text);

}  // namespace myst::vpn
