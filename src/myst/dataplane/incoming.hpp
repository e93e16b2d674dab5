// The way in: datagrams opened, and packets that their peer may send written to the interface.
#pragma once

#include <deque>
#include <vector>

#include "myst/dataplane/udp_link.hpp"
#include "myst/sys/packet_memory.hpp"
#include "myst/sys/tun_device.hpp"
#include "myst/wireguard/aead/aead.hpp"
#include "myst/wireguard/device.hpp"
#include "myst/wireguard/metered_batch.hpp"
#include "myst/wireguard/offload/coalescer.hpp"

namespace myst::dataplane {

/// A handshake message that waits for its turn.
struct HandshakeMessage {
    Bytes bytes;
    wireguard::Endpoint from;
};

/// One thread. Allocates nothing for a data message.
class Incoming {
public:
    static constexpr std::size_t kMaxHandshakes = 1'024;  ///< that wait

    /// Bytes that it takes of the memory.
    static constexpr std::size_t kMemory = 8 * 65'536;

    Incoming(wireguard::Device& device, wireguard::Aead& aead, wireguard::CoalesceSettings coalesce,
             sys::PacketMemory& memory);

    /// Takes what the sockets have, up to a bound, so that the other direction gets its turn. True: there may be more.
    [[nodiscard]] bool pump(UdpLink& link, sys::TunDevice& tun, wireguard::Now now, wireguard::Actions& out);

    /// Initiations, responses and cookie replies that came meanwhile, the oldest first; beyond `kMaxHandshakes` they
    /// are lost.
    [[nodiscard]] std::deque<HandshakeMessage>& handshakes() { return handshakes_; }

private:
    static constexpr std::size_t kMessages = 8;
    static constexpr std::size_t kBuffer = kMemory / kMessages;
    /// What the batch under way brings of one session.
    struct Session {
        wireguard::KeypairPtr keypair;
        std::uint32_t index = 0;
        std::size_t last_message = 0;  ///< with something authentic
        wireguard::Traffic traffic;
        wireguard::ReceivedBatch metered;
    };
    struct Arrival {
        std::size_t session = 0;
        std::size_t message = 0;
        std::size_t size = 0;  ///< of the datagram
        wireguard::ReceivedBatch::Admission admission = wireguard::ReceivedBatch::Admission::paid;
    };
    void take(std::span<std::uint8_t> datagram, std::size_t message, wireguard::Now now);
    void keep_handshake(BytesView datagram, std::size_t message);
    /// The place of the session that the index leads to.
    [[nodiscard]] std::optional<std::size_t> session_of(std::uint32_t index, wireguard::Now now);
    /// Leaves out what the meters of the peers do not let pass, before anything is opened.
    void gate(wireguard::Now now);
    void open(wireguard::Now now, wireguard::Actions& out);
    void deliver(sys::TunDevice& tun);

    wireguard::Device& device_;
    wireguard::Aead& aead_;
    wireguard::Coalescer coalescer_;
    std::span<std::uint8_t> memory_;
    std::vector<sys::UdpMessage> messages_;
    std::vector<wireguard::AeadJob> jobs_;
    std::vector<Arrival> arrivals_;  ///< of each job
    std::vector<Session> sessions_;
    std::deque<HandshakeMessage> handshakes_;
};

}  // namespace myst::dataplane
