// Addresses of relays.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "myst/base/error.hpp"

namespace myst::db {

/// A relay's address, "wss://host[:port][/path]" or "ws://…".
struct RelayUrl {
    bool tls = false;
    std::string host;  ///< name or IP literal, no brackets
    std::uint16_t port = 0;
    std::string target;  ///< path and query, at least "/"

    /// invalid_argument unless it is ws:// or wss:// with a host and without user name or fragment; 2 KiB at most.
    [[nodiscard]] static Result<RelayUrl> parse(std::string_view text);
    /// Host as it appears in a URL or a Host header: IPv6 literals in brackets, the port unless it is the default.
    [[nodiscard]] std::string authority() const;
    /// The normal form: two spellings of one address give the same text.
    [[nodiscard]] std::string text() const;
    bool operator==(const RelayUrl&) const = default;
};

/// Parses a list, for example from the configuration; addresses that occur twice are kept once.
[[nodiscard]] Result<std::vector<RelayUrl>> parse_relay_urls(const std::vector<std::string>& texts);

}  // namespace myst::db
