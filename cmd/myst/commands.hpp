// Runs one command against the daemon.
#pragma once

#include "myst/runtime/task.hpp"
#include "options.hpp"
#include "outcome.hpp"

namespace myst::console {

/// Prints the answer on standard output. A failure is the caller's to report.
[[nodiscard]] Task<Outcome<>> run_command(Options options);

}  // namespace myst::console
