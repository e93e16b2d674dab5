// HTTP/1.1 client for http:// and https:// URLs: deadlines, size limits, connection reuse. No redirects, no cookies,
// no compressed answers (nothing that could unfold into more than the size limit).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "myst/base/clock.hpp"
#include "myst/base/error.hpp"
#include "myst/runtime/task.hpp"

namespace myst::sys {

/// Name and value, in the order in which they are sent or were received.
using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

struct HttpRequest {
    std::string method = "GET";
    std::string url;  ///< absolute; without user name, password or fragment
    HttpHeaders headers{};
    std::string body{};
    milliseconds timeout{30'000};  ///< for the whole exchange: name lookup, connection, TLS, request, answer
    std::size_t max_response_bytes = 16U << 20;
    std::uint32_t mark = 0;   ///< SO_MARK of the connection (needs CAP_NET_ADMIN); 0: none
    bool replayable = false;  ///< may be sent again if a kept connection turns out to be dead; GET and HEAD always may
};

struct HttpResponse {
    unsigned status = 0;  ///< any status; only a missing or unreadable answer is an Error
    HttpHeaders headers{};
    std::string body{};

    /// Value of the first header of this name (any case).
    [[nodiscard]] std::optional<std::string_view> header(std::string_view name) const;
};

/// Sends requests and keeps a few idle connections for the next ones; concurrent requests use connections of their
/// own. Control thread. A running request keeps what it needs alive, so the client may be destroyed before it ends.
///
/// Errors name host, port and cause, never path or headers, which may hold keys: invalid_argument (malformed
/// request), timeout, unavailable (lookup, connection), limit_exceeded (answer too large), invalid_data (not HTTP, or
/// a certificate that is not the host's), permission_denied (the mark).
class HttpClient {
public:
    struct Settings {
        std::string ca_file{};              ///< PEM file to trust instead of the system's certificates; empty: system
        std::size_t max_idle = 4;           ///< connections kept open
        milliseconds max_idle_age{20'000};  ///< a connection unused for longer is not used again
    };
    HttpClient();
    explicit HttpClient(Settings settings);
    ~HttpClient();
    HttpClient(HttpClient&&) noexcept;
    HttpClient& operator=(HttpClient&&) noexcept;

    /// Cancellation unwinds and closes the connection.
    [[nodiscard]] Task<Result<HttpResponse>> request(HttpRequest request);
    /// Closes the idle connections.
    void close_idle();

private:
    struct State;
    std::shared_ptr<State> state_;
};

/// One request over a connection of its own.
[[nodiscard]] Task<Result<HttpResponse>> http_request(HttpRequest request);

}  // namespace myst::sys
