// What an idle connection to the embedded relay takes of memory.
#pragma once

#include <cstdint>

namespace myst::bench {

/// Bytes of this process for each connection of a client that follows the envelopes of one key, as a waiting provider
/// does: the relay's side, and the bare socket of the client. Not what the kernel holds.
[[nodiscard]] std::uint64_t memory_per_connection();

}  // namespace myst::bench
