// Endpoints that may be given to strangers: IPv4 literals that are reachable from anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "myst/base/error.hpp"

namespace myst::node {

struct Endpoint {
    std::string host;  ///< IPv4 literal
    std::uint16_t port = 0;
};

/// "a.b.c.d:port", port 1 … 65535.
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text);
/// An IPv4 literal outside the special ranges of base/ip_ranges.hpp.
[[nodiscard]] bool is_public_ipv4(std::string_view literal);

}  // namespace myst::node
