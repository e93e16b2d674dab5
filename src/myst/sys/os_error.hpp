// Failures of the operating system as Results.
#pragma once

#include <string>
#include <string_view>

#include "myst/base/error.hpp"

namespace myst::sys {

/// What kind of failure an errno is: ENOENT is not_found, EACCES permission_denied, EEXIST already_exists, and so on;
/// everything without a better name is io.
[[nodiscard]] ErrorCode code_of_errno(int error);

/// "<what>: <text of errno>". Pass errno at once: any later call may change it.
[[nodiscard]] tl::unexpected<Error> fail_errno(std::string_view what, int error, std::string cure = {});

}  // namespace myst::sys
