// One peer of a device: its handshake, its sessions, its timers.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "myst/base/locked.hpp"
#include "myst/wireguard/actions.hpp"
#include "myst/wireguard/agenda.hpp"
#include "myst/wireguard/cookie.hpp"
#include "myst/wireguard/index_table.hpp"
#include "myst/wireguard/keypair_slots.hpp"
#include "myst/wireguard/meter.hpp"
#include "myst/wireguard/noise.hpp"
#include "myst/wireguard/timers.hpp"

namespace myst::wireguard {

/// What the peers of one device share.
struct PeerEnvironment {
    std::optional<Locked<Identity>> identity;
    IndexTable indexes;
    /// Of peers that were removed: who is added again must not use one twice. Each has its own, so that many handshakes
    /// with others do not drive it ahead of the clock.
    TimestampSource timestamps;
    Agenda agenda;  ///< an entry is never later than its peer's `next_deadline`
    Rng& rng;

    explicit PeerEnvironment(Rng& random) : indexes(random), rng(random) {}
};

/// Totals of a peer since it was added.
struct PeerCounters {
    std::uint64_t sent_bytes = 0;      ///< of WireGuard messages, handshakes included
    std::uint64_t received_bytes = 0;  ///< of authentic ones
    std::optional<WallTime> last_handshake;
};

/// The state machine of docs/wireguard.md. Calls append what is to be done to `out`. One thread.
class Peer {
public:
    /// `static_static` is the shared secret of the device's key and this one.
    Peer(PeerId id, const TunnelKey& key, Secret<32> static_static, PeerEnvironment& environment);
    ~Peer() { environment_.timestamps.go_on_from(timestamps_); }
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    [[nodiscard]] PeerId id() const { return id_; }
    [[nodiscard]] const TunnelKey& key() const { return cookies_.peer(); }
    [[nodiscard]] const std::optional<Endpoint>& endpoint() const { return endpoint_; }
    [[nodiscard]] const Secret<32>& preshared_key() const { return *preshared_; }
    [[nodiscard]] seconds persistent_interval() const { return timers_.persistent_interval(); }
    [[nodiscard]] const PeerCounters& counters() const { return counters_; }
    [[nodiscard]] const KeypairSlots& keypairs() const { return slots_; }
    [[nodiscard]] std::size_t staged() const { return staged_.size(); }

    /// Counts and gates what is sealed and opened from now on; null: nothing does.
    void set_meter(std::shared_ptr<Meter> meter) { meter_ = std::move(meter); }
    [[nodiscard]] Meter* meter() const { return meter_.get(); }
    /// For handshakes from now on; zeros: none.
    void set_preshared_key(Secret<32> key) { *preshared_ = std::move(key); }
    /// Starts to send what waits.
    void set_endpoint(const Endpoint& endpoint, Now now, Actions& out);
    /// The source is no address of ours any more.
    void forget_source(const Source& source) {
        if (endpoint_ && endpoint_->source == source) endpoint_->source = {};
    }
    /// Zero turns it off. Turning it on sends a first one at once.
    void set_persistent_interval(seconds interval, Now now, Actions& out);
    /// The device has another private key: everything made with the old one ends.
    void set_static_static(Secret<32> static_static, MonotonicTime now);

    /// The keypair to seal with; null: the packets are to be staged.
    [[nodiscard]] KeypairPtr keypair_to_send(MonotonicTime now) const;
    /// Keeps the packet until there is a keypair, or sends it if there is.
    void stage(Bytes packet, Now now, Actions& out);
    /// A batch under a keypair of `keypair_to_send` was sent.
    void sent(const Traffic& traffic, Now now, Actions& out);
    /// A batch was opened. `from` is where its last message came from.
    void received(const Keypair& keypair, const Traffic& traffic, const Endpoint& from, Now now, Actions& out);

    /// False: silence.
    [[nodiscard]] bool handle_initiation(OpenedInitiation opened, const Endpoint& from, Now now, Actions& out);
    [[nodiscard]] bool handle_response(const Response& response, const Endpoint& from, Now now, Actions& out);
    [[nodiscard]] bool handle_cookie_reply(const CookieReply& reply, MonotonicTime now) {
        return cookies_.accept_reply(reply, now);
    }

    /// When `advance` has something to do next.
    [[nodiscard]] Deadline next_deadline() const { return timers_.next(); }
    void advance(Now now, Actions& out);
    /// Wipes sessions, handshake and waiting packets.
    void end(MonotonicTime now);

private:
    /// Why an initiation is sent: a wish starts the 90 s of attempts anew, a retry does not.
    enum class Reason { wish, retry };

    [[nodiscard]] bool can_begin() const { return endpoint_ && environment_.identity; }
    void rekey_if_used_up(Now now, Actions& out);
    void begin_handshake(Reason reason, bool fresh_source, Now now, Actions& out);
    void send_initiation(bool fresh_source, Now now, Actions& out);
    void retry_or_give_up(Now now, Actions& out);
    void drop_initiation(MonotonicTime now);
    void drop_staged();
    /// False: there was nothing to send, or its meter refused it all.
    bool send_staged(Now now, Actions& out);
    /// Those of the waiting packets that the meter admits; none waits any more.
    [[nodiscard]] std::vector<Bytes> take_staged();
    void send_keepalive(Now now, Actions& out);
    void seal_and_send(const KeypairPtr& keypair, std::vector<Bytes> packets, Now now, Actions& out);
    void send_message(std::span<std::uint8_t> message, bool fresh_source, Now now, Actions& out);
    [[nodiscard]] KeypairPtr add_keypair(SessionKeys keys, Keypair::Indexes indexes, bool initiator, MonotonicTime now);
    void handshake_complete(Now now);
    void handshake_received(std::size_t bytes, const Endpoint& from, MonotonicTime now);
    void refresh_on_receive(Now now, Actions& out);
    [[nodiscard]] milliseconds jitter();

    PeerId id_;
    Locked<Secret<32>> static_static_;
    Locked<Secret<32>> preshared_;
    PeerEnvironment& environment_;
    TimestampSource timestamps_;
    CookieGenerator cookies_;
    KeypairSlots slots_;
    Timers timers_;
    Agenda::Item agenda_item_;
    PeerCounters counters_;
    std::optional<Endpoint> endpoint_;
    std::vector<Bytes> staged_;  ///< the oldest first; few, and mostly none
    std::shared_ptr<Meter> meter_;

    std::optional<Locked<InitiatorState>> initiation_;  ///< ours, until the response
    Deadline handshake_sent_;                           ///< the last initiation or response of ours
    Deadline wished_;                                   ///< when somebody last wanted a session
    bool refreshed_on_receive_ = false;                 ///< for the present key

    Timestamp greatest_timestamp_{};  ///< of the peer's initiations
    Deadline initiation_accepted_;
};

}  // namespace myst::wireguard
