// Kernel settings under /proc/sys. Network settings are those of the calling thread's network namespace.
#pragma once

#include <string>

#include "myst/base/error.hpp"

namespace myst::sys {

/// `name` as a path below /proc/sys, e.g. "net/ipv4/ip_forward". Without the trailing newline.
[[nodiscard]] Result<std::string> read_sysctl(const std::string& name);
[[nodiscard]] Result<> write_sysctl(const std::string& name, const std::string& value);

}  // namespace myst::sys
