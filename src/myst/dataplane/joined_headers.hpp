// What a meter has counted and the interface did not see: the headers of packets that it got as one.
#pragma once

#include <sys/uio.h>

#include <span>

#include "myst/wireguard/device.hpp"

namespace myst::dataplane {

/// Tells the meter of the peer that sent the packets of a write (TunWrite::parts, taken by the interface) how many
/// bytes of headers there were besides those written. Those from or to the garden are not counted, as the packets are
/// not.
void count_joined_headers(const wireguard::Device& device, std::span<const iovec> write);

}  // namespace myst::dataplane
