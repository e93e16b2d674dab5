// What the protocol of one device costs with so many peers: in memory, under a clock of its own, without system calls.
#pragma once

#include <cstddef>

#include <boost/json.hpp>

namespace myst::bench {

/// Bytes per peer, nanoseconds of processor time per operation, and rates that follow from these.
[[nodiscard]] boost::json::object measure_core(std::size_t peers);

}  // namespace myst::bench
