// WireGuard's protocol for one interface: bytes and time in, actions out (docs/wireguard.md).
#pragma once

#include <memory>
#include <unordered_set>

#include "myst/wireguard/allowed_ips.hpp"
#include "myst/wireguard/flat_map.hpp"
#include "myst/wireguard/inner_packet.hpp"
#include "myst/wireguard/load_gauge.hpp"
#include "myst/wireguard/peer.hpp"
#include "myst/wireguard/source_limiter.hpp"

namespace myst::wireguard {

/// What the messages that are no data have cost a device so far. A loop that counts it gives strangers a share of its
/// work, and no more.
struct HandshakeWork {
    std::uint64_t messages = 0;      ///< at least their mac1 was computed
    std::uint64_t cookies = 0;       ///< made and sent, or received and opened
    std::uint64_t computations = 0;  ///< initiations and responses that were opened, in vain or not

    /// In computations of mac1, of which each takes a third of a microsecond or so.
    [[nodiscard]] std::uint64_t units() const { return messages + 16 * cookies + 128 * computations; }
};

/// How much a device takes.
struct DeviceLimits {
    std::size_t peers = kMaxPeers;
    std::size_t prefixes = kMaxPrefixes;  ///< of all peers
};

/// Peers, sessions and allowed addresses of an interface. Whoever owns it carries out the actions that calls append to
/// `out`, calls `advance` when `next_deadline` has come, and seals and opens data:
///
///  - to send: `route`, `keypair_to_send`; without a keypair `stage`, else seal, send, then `sent` once per batch;
///  - on data: `keypair_to_open`, the keypair's replay filter `plausible`, open, `accept`, then `received` once per
///  batch
///    and keypair, and `admit` for each packet that is not empty.
///
/// What is sealed or opened goes through the peer's `meter` (metered_batch.hpp). Packets that were staged have done so.
///
/// One thread.
class Device {
public:
    /// Each may have a handshake to begin, which takes as long as hundreds of packets.
    static constexpr std::size_t kPeersPerAdvance = 8;

    explicit Device(Rng& rng, DeviceLimits limits = {})
        : limits_(limits), environment_(rng), allowed_ips_(limits.prefixes) {}

    /// All sessions end. Zeros take the key away. A peer with the new key of our own is removed. Peers whose public key
    /// yields no shared secret cannot exist, so this does not fail.
    void set_private_key(Secret<32> key, MonotonicTime now);
    /// Null: none is set.
    [[nodiscard]] const Identity* identity() const {
        return environment_.identity ? &**environment_.identity : nullptr;
    }

    /// already_exists; invalid_argument for our own key and keys of low order; limit_exceeded.
    [[nodiscard]] Result<PeerId> add_peer(const TunnelKey& key);
    /// Wipes everything of the peer; unknown ids are ignored.
    void remove_peer(PeerId id, MonotonicTime now);
    [[nodiscard]] std::optional<PeerId> find_peer(const TunnelKey& key) const;
    /// Null: it was removed.
    [[nodiscard]] Peer* peer(PeerId id);
    [[nodiscard]] const Peer* peer(PeerId id) const;
    /// In the order in which they were added.
    [[nodiscard]] std::vector<PeerId> peers() const;
    /// The peer's packets are counted and gated by this meter from now on; null: by none. Unknown ids are ignored.
    void set_meter(PeerId id, std::shared_ptr<Meter> meter);
    /// Null: none. Stays until the next call of `set_meter` or `remove_peer`.
    [[nodiscard]] Meter* meter(PeerId id) const;
    [[nodiscard]] AllowedIps& allowed_ips() { return allowed_ips_; }
    [[nodiscard]] const AllowedIps& allowed_ips() const { return allowed_ips_; }

    /// Whose packet this is, by its destination.
    [[nodiscard]] std::optional<PeerId> route(const IpAddress& destination) const {
        return allowed_ips_.find(destination);
    }
    /// Null: `stage` the packets. Unknown ids have no keypair.
    [[nodiscard]] KeypairPtr keypair_to_send(PeerId id, MonotonicTime now) const;
    void stage(PeerId id, Bytes packet, Now now, Actions& out);
    void sent(PeerId id, const Traffic& traffic, Now now, Actions& out);

    /// Null: the message is dropped.
    [[nodiscard]] KeypairPtr keypair_to_open(std::uint32_t receiver, MonotonicTime now) const;
    void received(const Keypair& keypair, const Traffic& traffic, const Endpoint& from, Now now, Actions& out);
    /// What to deliver of a packet that this peer sent; none: it is no IP packet, or not from the peer's addresses.
    [[nodiscard]] std::optional<InnerPacket> admit(PeerId id, BytesView plaintext) const;

    /// Anything but data: initiations, responses, cookie replies; the rest is dropped. False: silence.
    bool handle_handshake(BytesView datagram, const Endpoint& from, Now now, Actions& out);
    [[nodiscard]] const HandshakeWork& work() const { return work_; }
    [[nodiscard]] const SourceLimiter& sources() const { return sources_; }
    /// For all peers; rare.
    void forget_source(const Source& source);
    /// Whoever queues handshakes reports here.
    [[nodiscard]] LoadGauge& load() { return load_; }

    /// When `advance` has something to do next. Both cost what is due, not what exists.
    [[nodiscard]] Deadline next_deadline();
    /// Does what is due for at most `kPeersPerAdvance` peers, those that have waited longest.
    void advance(Now now, Actions& out);

    [[nodiscard]] const IndexTable& indexes() const { return environment_.indexes; }

private:
    /// Macs, cookies and the limit of sources: whether the message may cost us a computation.
    [[nodiscard]] bool affordable(BytesView datagram, const Endpoint& from, MonotonicTime now, Actions& out);
    [[nodiscard]] bool handle_initiation(BytesView datagram, const Endpoint& from, Now now, Actions& out);
    [[nodiscard]] bool handle_response(BytesView datagram, const Endpoint& from, Now now, Actions& out);
    [[nodiscard]] bool handle_cookie_reply(BytesView datagram, MonotonicTime now);

    /// Lets a set of peers be asked for a key, which it need not keep then.
    struct ByKey {
        using is_transparent = void;
        static const TunnelKey& key_of(const TunnelKey& key) { return key; }
        static const TunnelKey& key_of(const Peer* peer) { return peer->key(); }
        std::size_t operator()(const auto& one) const { return FixedBytesHash{}(key_of(one)); }
        bool operator()(const auto& one, const auto& other) const { return key_of(one) == key_of(other); }
    };

    /// The peer whose deadline comes first; null: no peer has one.
    [[nodiscard]] Peer* first_in_line();

    DeviceLimits limits_;
    PeerEnvironment environment_;
    std::optional<CookieChecker> checker_;  ///< with the identity
    SourceLimiter sources_;
    LoadGauge load_;
    HandshakeWork work_;
    AllowedIps allowed_ips_;
    FlatMap<std::unique_ptr<Peer>> peers_;  ///< by id
    std::unordered_set<const Peer*, ByKey, ByKey> by_key_;
    std::uint32_t last_id_ = 0;
};

}  // namespace myst::wireguard
