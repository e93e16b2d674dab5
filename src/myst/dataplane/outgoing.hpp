// The way out: packets read from the interface, sealed for the peer that their destination belongs to.
#pragma once

#include <vector>

#include "myst/dataplane/sealer.hpp"
#include "myst/sys/tun_device.hpp"
#include "myst/wireguard/metered_batch.hpp"
#include "myst/wireguard/offload/super_packet.hpp"
#include "myst/wireguard/offload/unreachable.hpp"

namespace myst::dataplane {

/// One thread. Allocates nothing for a packet, except one that has to wait for a session.
class Outgoing {
public:
    /// Bytes that it takes of the memory.
    static constexpr std::size_t kMemory = sys::TunDevice::kMaxRead + 64;

    Outgoing(wireguard::Device& device, Sealer& sealer, sys::PacketMemory& memory)
        : device_(device), sealer_(sealer), buffer_(memory.take(kMemory)) {}

    /// Takes what the interface has, up to a bound, so that the other direction gets its turn. True: there may be more.
    [[nodiscard]] bool pump(sys::TunDevice& tun, wireguard::Now now, wireguard::Actions& out);

private:
    /// What the batch under way sends to one peer.
    struct Session {
        wireguard::PeerId peer{};
        wireguard::KeypairPtr keypair;
        wireguard::Endpoint to;
        wireguard::Traffic traffic;
        wireguard::SentBatch metered;
    };
    void take(BytesView read, sys::TunDevice& tun, wireguard::Now now, wireguard::Actions& out);
    /// Tells the sender, unless too many were told of late, that the packet has nowhere to go.
    void refuse(BytesView packet, sys::TunDevice& tun, wireguard::Now now);
    /// Packets without a session wait for one.
    void keep(wireguard::PeerId peer, const wireguard::SuperPacket& packet, const wireguard::InnerPacket& inner,
              wireguard::Now now, wireguard::Actions& out);
    /// Null: the packets must wait, or have nowhere to go.
    [[nodiscard]] Session* session_of(wireguard::PeerId peer, wireguard::Now now);
    void flush(wireguard::Now now, wireguard::Actions& out);

    wireguard::Device& device_;
    Sealer& sealer_;
    std::span<std::uint8_t> buffer_;
    wireguard::Refusals refusals_;
    std::vector<Session> sessions_;  ///< few: peers with packets in one batch
};

}  // namespace myst::dataplane
