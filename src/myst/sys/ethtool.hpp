// Features of network interfaces.
#pragma once

#include <string>

#include "myst/base/error.hpp"

namespace myst::sys {

/// Switches off segmentation and receive-merging features (TSO, GSO, GRO and their variants) of an interface in the
/// calling thread's namespace, so that every packet that crosses it is one that fits its MTU. Features that the device
/// has fixed stay as they are.
[[nodiscard]] Result<> disable_segmentation_offload(const std::string& interface_name);

}  // namespace myst::sys
