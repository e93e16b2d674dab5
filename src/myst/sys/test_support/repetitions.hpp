// For tests that the long profile runs with bigger numbers.
#pragma once

#include <cstdlib>
#include <string>

namespace myst::sys::testing {

/// How often to repeat something: `usual`, or what the environment variable says.
inline std::size_t repetitions(const char* variable, std::size_t usual) {
    const char* asked = std::getenv(variable);
    return asked == nullptr ? usual : static_cast<std::size_t>(std::stoul(asked));
}

}  // namespace myst::sys::testing
