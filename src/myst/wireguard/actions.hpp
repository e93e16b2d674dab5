// What the protocol wants done: the results of every call that feeds it.
#pragma once

#include <variant>
#include <vector>

#include "myst/wireguard/endpoint.hpp"
#include "myst/wireguard/keypair.hpp"
#include "myst/wireguard/timestamp.hpp"

namespace myst::wireguard {

/// The time of a call, on both clocks.
struct Now {
    MonotonicTime steady;
    WallTime wall;
};

/// A message that is complete.
struct SendDatagram {
    Endpoint to;
    Bytes bytes;
};

/// Packets to be sealed, in this order, with counters taken from the keypair, and sent. An empty packet is a keepalive.
/// Others are padded with zeros to a multiple of 16, but not beyond the interface's MTU.
/// They are accounted for already: `Device::sent` is not called for them.
struct SealAndSend {
    Endpoint to;
    KeypairPtr keypair;
    std::vector<Bytes> packets;
};

using Action = std::variant<SendDatagram, SealAndSend>;
/// In the order in which they are to be done.
using Actions = std::vector<Action>;

/// A batch of data messages of one session that was sealed and sent, or that was opened and had fresh counters.
struct Traffic {
    std::uint64_t wire_bytes = 0;  ///< of the messages, headers and tags included
    bool has_data = false;         ///< whether any was more than a keepalive
};

/// Bytes of the data message that carries a packet of this size.
[[nodiscard]] constexpr std::size_t sealed_size(std::size_t packet) {
    return kDataHeaderSize + (packet + 15) / 16 * 16 + kTagSize;
}

}  // namespace myst::wireguard
