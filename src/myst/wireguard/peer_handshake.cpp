// The part of a peer that makes and answers handshakes.
#include "myst/wireguard/peer.hpp"

namespace myst::wireguard {

void Peer::begin_handshake(Reason reason, bool fresh_source, Now now, Actions& out) {
    if (!can_begin()) return;
    if (reason == Reason::wish) wished_ = now.steady;
    if (handshake_sent_ && now.steady - *handshake_sent_ < kRekeyTimeout) {
        // Too soon, but the wish is not forgotten.
        if (!timers_.retransmit) timers_.retransmit = *handshake_sent_ + kRekeyTimeout + jitter();
        return;
    }
    send_initiation(fresh_source, now, out);
}

void Peer::send_initiation(bool fresh_source, Now now, Actions& out) {
    const StackWipe wipe;
    drop_initiation(now.steady);
    const auto index = environment_.indexes.add(id_, now.steady);
    auto made = make_initiation(**environment_.identity, key(), *static_static_, timestamps_.next(now.wall), index,
                                environment_.rng);
    if (!made) {
        environment_.indexes.remove(index, now.steady);
        return;
    }
    initiation_.emplace(std::move(made->state));
    auto message = made->message.encode();
    timers_.initiation_sent(now.steady, jitter());
    send_message(message, fresh_source, now, out);
}

void Peer::retry_or_give_up(Now now, Actions& out) {
    if (wished_ && now.steady - *wished_ < kRekeyAttemptTime) {
        begin_handshake(Reason::retry, true, now, out);
        return;
    }
    drop_initiation(now.steady);
    drop_staged();
    timers_.attempts_ended(now.steady);
}

void Peer::drop_initiation(MonotonicTime now) {
    if (!initiation_) return;
    environment_.indexes.remove((*initiation_)->sender, now);
    initiation_.reset();
}

void Peer::send_message(std::span<std::uint8_t> message, bool fresh_source, Now now, Actions& out) {
    cookies_.add_macs(message, now.steady);
    handshake_sent_ = now.steady;
    counters_.sent_bytes += message.size();
    timers_.anything_sent(now.steady);
    if (fresh_source) endpoint_->source = {};  // the way from there may be dead
    out.emplace_back(SendDatagram{*endpoint_, Bytes(message.begin(), message.end())});
}

bool Peer::handle_initiation(OpenedInitiation opened, const Endpoint& from, Now now, Actions& out) {
    const auto time = open_timestamp(opened, *static_static_);
    if (!time || *time <= greatest_timestamp_) return false;
    if (initiation_accepted_ && now.steady - *initiation_accepted_ < kInitiationInterval) return false;
    const auto remote = opened.message.sender;
    const auto index = environment_.indexes.add(id_, now.steady);
    auto made = make_response(std::move(opened), *preshared_, index, environment_.rng);
    if (!made) {
        environment_.indexes.remove(index, now.steady);
        return false;
    }
    greatest_timestamp_ = *time;
    initiation_accepted_ = now.steady;
    handshake_received(kInitiationSize, from, now.steady);
    slots_.add_as_responder(add_keypair(std::move(made->keys), {index, remote}, false, now.steady), now.steady);
    auto message = made->message.encode();
    send_message(message, false, now, out);
    agenda_item_.no_later(timers_.next());
    return true;
}

bool Peer::handle_response(const Response& response, const Endpoint& from, Now now, Actions& out) {
    if (!initiation_ || response.receiver != (*initiation_)->sender || !environment_.identity) return false;
    auto keys = open_response(**initiation_, **environment_.identity, *preshared_, response);
    if (!keys) return false;
    // The index goes over to the keypair.
    const Keypair::Indexes indexes{(*initiation_)->sender, response.sender};
    initiation_.reset();
    handshake_received(kResponseSize, from, now.steady);
    slots_.add_as_initiator(add_keypair(std::move(*keys), indexes, true, now.steady), now.steady);
    handshake_complete(now);
    // The peer may not send before it has heard from us under the new key.
    if (!send_staged(now, out)) send_keepalive(now, out);
    agenda_item_.no_later(timers_.next());
    return true;
}

KeypairPtr Peer::add_keypair(SessionKeys keys, Keypair::Indexes indexes, bool initiator, MonotonicTime now) {
    auto keypair = std::make_shared<Keypair>(id_, std::move(keys), indexes, initiator, now);
    environment_.indexes.attach(indexes.local, keypair);
    timers_.session_derived(now);
    return keypair;
}

void Peer::handshake_complete(Now now) {
    timers_.handshake_complete();
    wished_.reset();
    refreshed_on_receive_ = false;
    counters_.last_handshake = now.wall;
}

void Peer::handshake_received(std::size_t bytes, const Endpoint& from, MonotonicTime now) {
    counters_.received_bytes += bytes;
    timers_.anything_received(now);
    endpoint_ = from;
}

}  // namespace myst::wireguard
