// The API request behind a verb.
#pragma once

#include <string>

#include "myst/base/clock.hpp"
#include "options.hpp"
#include "outcome.hpp"

namespace myst::console {

struct ApiRequest {
    std::string method;
    std::string path;    ///< with query
    std::string body{};  ///< JSON, or empty
    milliseconds timeout{30'000};
};

/// Exit::usage if an amount or another value of the command line is malformed.
[[nodiscard]] Outcome<ApiRequest> request_of(const Options& options);

/// For one round of measuring the latency of the offers that match.
[[nodiscard]] Outcome<ApiRequest> latency_request_of(const Options& options);
/// What to send to the event stream for the options' filter.
[[nodiscard]] Outcome<std::string> subscription_of(const Options& options);

}  // namespace myst::console
