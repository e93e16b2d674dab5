// One simulation from beginning to end.
#pragma once

#include "scale/report.hpp"

namespace myst::scale {

[[nodiscard]] Report simulate(const Parameters& parameters);

}  // namespace myst::scale
