#include "myst/wireguard/peer.hpp"

#include "myst/base/check.hpp"
#include "myst/base/random_below.hpp"
#include "myst/wireguard/metered_batch.hpp"

namespace myst::wireguard {

Peer::Peer(PeerId id, const TunnelKey& key, Secret<32> static_static, PeerEnvironment& environment)
    : id_(id),
      static_static_(std::move(static_static)),
      environment_(environment),
      timestamps_(environment.timestamps),
      cookies_(key),
      slots_(environment.indexes),
      agenda_item_(environment.agenda, *this, id) {}

void Peer::set_endpoint(const Endpoint& endpoint, Now now, Actions& out) {
    endpoint_ = endpoint;
    send_staged(now, out);
    agenda_item_.no_later(timers_.next());
}

void Peer::set_persistent_interval(seconds interval, Now now, Actions& out) {
    const bool turned_on = timers_.persistent_interval() == seconds{0} && interval > seconds{0};
    timers_.set_persistent_interval(interval, now.steady);
    if (turned_on) send_keepalive(now, out);
    agenda_item_.no_later(timers_.next());
}

void Peer::set_static_static(Secret<32> static_static, MonotonicTime now) {
    *static_static_ = std::move(static_static);
    slots_.clear(now);
    drop_initiation(now);
    cookies_.clear();
    handshake_sent_.reset();
    timers_.clear();
}

void Peer::stage(Bytes packet, Now now, Actions& out) {
    CHECK(packet.size() <= kMaxInnerPacket);
    if (staged_.size() == kMaxStagedPackets) {
        secure_wipe(staged_.front());
        staged_.erase(staged_.begin());
    }
    staged_.push_back(std::move(packet));
    send_staged(now, out);
    agenda_item_.no_later(timers_.next());
}

KeypairPtr Peer::keypair_to_send(MonotonicTime now) const {
    const auto& current = slots_.current();
    return current && endpoint_ && current->can_send(now) ? current : nullptr;
}

void Peer::sent(const Traffic& traffic, Now now, Actions& out) {
    counters_.sent_bytes += traffic.wire_bytes;
    timers_.anything_sent(now.steady);
    // Chance costs a system call: none is drawn while the deadline stands.
    if (traffic.has_data && !timers_.new_handshake) timers_.data_sent(now.steady, jitter());
    rekey_if_used_up(now, out);
    agenda_item_.no_later(timers_.next());
}

void Peer::rekey_if_used_up(Now now, Actions& out) {
    const auto& current = slots_.current();
    if (!current) return;
    const bool old = current->initiator() && now.steady - current->created() >= kRekeyAfterTime;
    if (old || current->counters_taken() >= kRekeyAfterMessages) begin_handshake(Reason::wish, false, now, out);
}

void Peer::received(const Keypair& keypair, const Traffic& traffic, const Endpoint& from, Now now, Actions& out) {
    if (!keypair.alive(now.steady)) return;
    counters_.received_bytes += traffic.wire_bytes;
    timers_.anything_received(now.steady);
    endpoint_ = from;
    if (traffic.has_data) timers_.data_received(now.steady);
    if (slots_.confirm(keypair, now.steady)) {
        handshake_complete(now);
        send_staged(now, out);
    }
    refresh_on_receive(now, out);
    agenda_item_.no_later(timers_.next());
}

void Peer::refresh_on_receive(Now now, Actions& out) {
    const auto& current = slots_.current();
    if (refreshed_on_receive_ || !current || !current->initiator()) return;
    if (now.steady - current->created() < kRejectAfterTime - kKeepaliveTimeout - kRekeyTimeout) return;
    refreshed_on_receive_ = true;
    begin_handshake(Reason::wish, false, now, out);
}

void Peer::advance(Now now, Actions& out) {
    if (take_due(timers_.zero_keys, now.steady)) {
        slots_.clear(now.steady);
        drop_initiation(now.steady);
        cookies_.clear();
    }
    if (take_due(timers_.retransmit, now.steady)) retry_or_give_up(now, out);
    if (take_due(timers_.keepalive, now.steady)) send_keepalive(now, out);
    if (take_due(timers_.new_handshake, now.steady)) begin_handshake(Reason::wish, true, now, out);
    if (take_due(timers_.persistent_keepalive, now.steady)) {
        timers_.set_persistent_interval(timers_.persistent_interval(), now.steady);
        send_keepalive(now, out);
    }
    agenda_item_.no_later(timers_.next());
}

void Peer::end(MonotonicTime now) {
    slots_.clear(now);
    drop_initiation(now);
    drop_staged();
    timers_.clear();
}

void Peer::drop_staged() {
    for (auto& packet : staged_) secure_wipe(packet);
    staged_ = {};
}

bool Peer::send_staged(Now now, Actions& out) {
    if (staged_.empty()) return false;
    const auto keypair = keypair_to_send(now.steady);
    if (!keypair) {
        begin_handshake(Reason::wish, false, now, out);
        return false;
    }
    auto packets = take_staged();
    if (packets.empty()) return false;
    seal_and_send(keypair, std::move(packets), now, out);
    return true;
}

std::vector<Bytes> Peer::take_staged() {
    SentBatch batch(meter());
    std::vector<Bytes> packets;
    packets.reserve(staged_.size());
    for (auto& packet : staged_) {
        const auto inner = meter_ != nullptr ? parse_inner_packet(packet) : std::nullopt;
        if (meter_ == nullptr || (inner && batch.admit(*inner, 1, packet.size(), packet.size()) == 1)) {
            packets.push_back(std::move(packet));
        } else {
            secure_wipe(packet);
        }
    }
    batch.settle();
    staged_ = {};
    return packets;
}

void Peer::send_keepalive(Now now, Actions& out) {
    if (const auto keypair = keypair_to_send(now.steady)) {
        seal_and_send(keypair, std::vector<Bytes>(1), now, out);
    } else {
        begin_handshake(Reason::wish, false, now, out);
    }
}

void Peer::seal_and_send(const KeypairPtr& keypair, std::vector<Bytes> packets, Now now, Actions& out) {
    Traffic traffic;
    for (const auto& packet : packets) {
        traffic.wire_bytes += sealed_size(packet.size());
        traffic.has_data |= !packet.empty();
    }
    out.emplace_back(SealAndSend{*endpoint_, keypair, std::move(packets)});
    sent(traffic, now, out);
}

milliseconds Peer::jitter() {
    return milliseconds(random_below(environment_.rng, static_cast<std::uint64_t>(kRekeyTimeoutJitter.count())));
}

}  // namespace myst::wireguard
