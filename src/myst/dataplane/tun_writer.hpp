// How joined packets reach the interface although some kernels refuse them (docs/dataplane.md, kernel traps).
#pragma once

#include <functional>

#include "myst/base/error.hpp"
#include "myst/wireguard/offload/coalescer.hpp"

namespace myst::dataplane {

/// sys::TunDevice::write of an interface; invalid_argument says that the kernel does not take this header.
using TunWriteFunction = std::function<Result<bool>(std::span<const iovec>)>;

/// Writes all that the coalescer has. A joined packet that the kernel refuses is written again, packet by packet, and
/// from then on none of its kind is joined, which the log says once.
void write_packets(wireguard::Coalescer& coalescer, const TunWriteFunction& write);

/// What of `wanted` the kernel takes: tries joined packets that go nowhere. To be asked while the interface is down,
/// where nothing is taken, but headers are looked at. One that is up drops them: they are damaged, at their last hop.
[[nodiscard]] wireguard::CoalesceSettings probe_joining(wireguard::CoalesceSettings wanted,
                                                        const TunWriteFunction& write);

}  // namespace myst::dataplane
