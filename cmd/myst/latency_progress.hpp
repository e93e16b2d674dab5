// Measuring latency before offers are listed by it.
#pragma once

#include "api_client.hpp"
#include "options.hpp"

namespace myst::console {

/// Whether the list of `options` needs it. Later pages go on with what was measured for the first.
[[nodiscard]] bool needs_latency(const Options& options);

/// Has the daemon measure, round by round. On a terminal one line shows how far it is, and goes at the end.
[[nodiscard]] Task<Outcome<>> measure_latency(Options options, ApiClient& api);

}  // namespace myst::console
