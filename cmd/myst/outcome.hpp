// How a command ends: an exit code and, if it failed, an error with a cure.
#pragma once

#include <tl/expected.hpp>

#include "myst/base/error.hpp"

namespace myst::console {

/// Documented in docs/console.md; scripts rely on them.
enum class Exit : int {
    ok = 0,
    failure = 1,
    usage = 2,
    not_connected = 3,
    no_funds = 4,
    daemon_unreachable = 5,
};

struct Failure {
    Exit exit = Exit::failure;
    Error error;
};

template <class T = void>
using Outcome = tl::expected<T, Failure>;

/// The failing side of an Outcome.
[[nodiscard]] inline tl::unexpected<Failure> give_up(Exit exit, Error error) {
    return tl::unexpected<Failure>(Failure{exit, std::move(error)});
}

}  // namespace myst::console
