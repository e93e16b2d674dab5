// The parts of an http:// or https:// URL that a client needs.
#pragma once

#include <string>
#include <string_view>

#include "myst/base/error.hpp"

namespace myst::sys {

struct HttpUrl {
    bool tls = false;
    std::string host{};       ///< name or IP literal, without brackets
    std::string port{};       ///< decimal
    std::string authority{};  ///< value of the Host header
    std::string target{};     ///< path and query, at least "/"

    /// "host:port", for messages; contains no secret.
    [[nodiscard]] std::string place() const { return host + ":" + port; }
    [[nodiscard]] bool same_origin(const HttpUrl& other) const {
        return tls == other.tls && host == other.host && port == other.port;
    }
};

/// Strict. User name and password, fragments and other schemes are invalid_argument; so is a port of 0.
[[nodiscard]] Result<HttpUrl> parse_http_url(std::string_view text);

}  // namespace myst::sys
