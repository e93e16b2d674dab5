// Packets on their way out: sealed many at a time, and sent as few messages.
#pragma once

#include <vector>

#include "myst/dataplane/udp_link.hpp"
#include "myst/sys/packet_memory.hpp"
#include "myst/wireguard/aead/aead.hpp"
#include "myst/wireguard/device.hpp"
#include "myst/wireguard/offload/datagrams.hpp"

namespace myst::dataplane {

/// Collects data messages in one piece of memory, one behind the other, so that equal ones of a peer leave as segments
/// of one message. Allocates only when it is made. One thread.
class Sealer {
public:
    /// Bytes of the largest packet whose message, padding included, is a UDP datagram over either version of IP.
    static constexpr std::size_t kMaxPacket = (wireguard::kMaxUdp6 - wireguard::sealed_size(0)) / 16 * 16;

    /// Bytes that it takes of the memory: four super-packets with headers and tags. More does not fit a processor's
    /// second cache beside what is read.
    static constexpr std::size_t kMemory = 320 * 1024;

    Sealer(wireguard::Aead& aead, UdpLink& link, sys::PacketMemory& memory);

    /// Padding does not make a packet longer than this; the interface's MTU.
    void set_mtu(std::size_t mtu) { mtu_ = mtu; }
    [[nodiscard]] std::size_t mtu() const { return mtu_; }
    [[nodiscard]] std::size_t padded_size(std::size_t packet) const;
    /// Whether so many packets of at most `size` bytes have room now.
    [[nodiscard]] bool has_room(std::size_t packets, std::size_t size) const;

    /// Room for a packet of `size` bytes, at most kMaxPacket, for which there must be room; to be written by the caller
    /// before `flush`. The keypair lives until then, and `counter` is one of its.
    [[nodiscard]] std::span<std::uint8_t> add(const wireguard::Keypair& keypair, std::uint64_t counter,
                                              const wireguard::Endpoint& to, std::size_t size);
    /// Seals and sends all that was added.
    void flush();

private:
    struct Entry {
        std::size_t at = 0;
        std::size_t size = 0;
        wireguard::Endpoint to;
    };
    [[nodiscard]] sys::UdpMessage message_of(std::size_t first, std::size_t& next);

    wireguard::Aead& aead_;
    UdpLink& link_;
    std::size_t mtu_ = 0;
    std::size_t used_ = 0;
    std::span<std::uint8_t> memory_;
    std::vector<wireguard::AeadJob> jobs_;
    std::vector<Entry> entries_;
    std::vector<std::size_t> sizes_;  ///< of the entries
    std::vector<sys::UdpMessage> messages_;
};

}  // namespace myst::dataplane
