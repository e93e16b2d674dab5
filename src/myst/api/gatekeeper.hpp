// Decides whether a request may go on to a handler: exact Host and Origin, bearer token, and request rates.
// Pure: no sockets, and the time is passed in.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "myst/api/access.hpp"
#include "myst/base/clock.hpp"
#include "myst/base/error.hpp"

namespace myst::api {

/// A refused request: the HTTP status and what the body says.
struct Refusal {
    unsigned status = 0;
    Error error;
    milliseconds delay{};  ///< to be waited before the answer, against guessing
};

/// The header fields that decide about access. Each list holds every occurrence of the field.
struct Credentials {
    std::vector<std::string_view> host;
    std::vector<std::string_view> origin;
    std::vector<std::string_view> authorization;
};

struct GateLimits {
    std::size_t bad_tokens_per_minute = 5;  ///< answered at once; further ones wait
    milliseconds bad_token_delay{1000};
    std::size_t requests_per_second = 20;  ///< sustained, with a token
    std::size_t burst = 100;               ///< above which the sustained rate counts
};

/// One per server. Control thread.
class Gatekeeper {
public:
    /// `hosts` are the exact values of the Host header that are served, with port.
    Gatekeeper(std::vector<std::string> hosts, TokenDigest token, GateLimits limits);

    /// The request came to a name that is ours and, if a browser sent it, from a page of ours. None: it may go on.
    [[nodiscard]] std::optional<Refusal> check_source(const Credentials& credentials) const;
    /// The request carries the token, and not too many came before it. None: it may go on.
    [[nodiscard]] std::optional<Refusal> check_token(const Credentials& credentials, MonotonicTime now);

private:
    [[nodiscard]] Refusal refuse_token(MonotonicTime now);
    [[nodiscard]] bool take_request(MonotonicTime now);

    std::vector<std::string> hosts_;
    TokenDigest token_;
    GateLimits limits_;
    std::deque<MonotonicTime> bad_tokens_;  ///< at most bad_tokens_per_minute entries
    milliseconds debt_{};                   ///< time the requests so far are worth, beyond the time passed
    MonotonicTime last_request_{};
};

}  // namespace myst::api
