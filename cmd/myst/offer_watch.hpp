// Following offers on the daemon's event stream.
#pragma once

#include "api_client.hpp"
#include "options.hpp"

namespace myst::console {

/// Prints the offers that match, then a line for each change, until Ctrl-C; with --json one event a line.
/// Exit::daemon_unreachable if the daemon stops or is lost.
[[nodiscard]] Task<Outcome<>> watch_offers(Options options, ApiClient& api);

}  // namespace myst::console
