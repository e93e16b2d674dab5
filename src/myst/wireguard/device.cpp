#include "myst/wireguard/device.hpp"

#include <algorithm>

#include "myst/base/check.hpp"

namespace myst::wireguard {
namespace {

std::uint32_t number_of(PeerId id) {
    return static_cast<std::uint32_t>(id);
}

}  // namespace

void Device::set_private_key(Secret<32> key, MonotonicTime now) {
    const StackWipe wipe;
    environment_.identity.reset();
    checker_.reset();
    if (!key.equals(Secret<32>{})) {
        environment_.identity.emplace(Identity::from(std::move(key)));
        checker_.emplace(identity()->public_key);
        if (const auto self = find_peer(identity()->public_key)) remove_peer(*self, now);
    }
    peers_.for_each([&](std::uint32_t, const std::unique_ptr<Peer>& peer) {
        auto shared = identity() != nullptr ? identity()->agree(peer->key()) : std::optional<Secret<32>>(std::in_place);
        CHECK(shared.has_value());  // keys of low order are no peers
        peer->set_static_static(std::move(*shared), now);
    });
}

Result<PeerId> Device::add_peer(const TunnelKey& key) {
    const StackWipe wipe;
    if (by_key_.contains(key)) return fail(ErrorCode::already_exists, "this peer exists already");
    if (peers_.size() >= limits_.peers) return fail(ErrorCode::limit_exceeded, "too many peers");
    if (identity() != nullptr && key == identity()->public_key) {
        return fail(ErrorCode::invalid_argument, "a device cannot be its own peer");
    }
    // Without a key of our own any other does for the question whether the peer's is of low order.
    auto shared =
        identity() != nullptr ? identity()->agree(key) : shared_secret(make_private_key(environment_.rng), key);
    if (!shared) return fail(ErrorCode::invalid_argument, "not a usable public key");
    const PeerId id{++last_id_};
    auto& added = *peers_.insert(number_of(id)).first;
    added = std::make_unique<Peer>(id, key, std::move(*shared), environment_);
    by_key_.insert(added.get());
    return id;
}

void Device::remove_peer(PeerId id, MonotonicTime now) {
    auto* found = peer(id);
    if (found == nullptr) return;
    found->end(now);
    allowed_ips_.remove_all(id);
    by_key_.erase(found);
    if (by_key_.empty()) by_key_.rehash(0);  // its table never shrinks by itself
    peers_.erase(number_of(id));
}

std::optional<PeerId> Device::find_peer(const TunnelKey& key) const {
    const auto found = by_key_.find(key);
    return found == by_key_.end() ? std::nullopt : std::optional((*found)->id());
}

Peer* Device::peer(PeerId id) {
    auto* found = peers_.find(number_of(id));
    return found == nullptr ? nullptr : found->get();
}

const Peer* Device::peer(PeerId id) const {
    const auto* found = peers_.find(number_of(id));
    return found == nullptr ? nullptr : found->get();
}

void Device::set_meter(PeerId id, std::shared_ptr<Meter> meter) {
    if (auto* found = peer(id)) found->set_meter(std::move(meter));
}

Meter* Device::meter(PeerId id) const {
    const auto* found = peer(id);
    return found != nullptr ? found->meter() : nullptr;
}

std::vector<PeerId> Device::peers() const {
    std::vector<PeerId> ids;
    ids.reserve(peers_.size());
    peers_.for_each([&](std::uint32_t id, const std::unique_ptr<Peer>&) { ids.push_back(PeerId{id}); });
    std::sort(ids.begin(), ids.end());
    return ids;
}

KeypairPtr Device::keypair_to_send(PeerId id, MonotonicTime now) const {
    const auto* found = peer(id);
    return found != nullptr ? found->keypair_to_send(now) : nullptr;
}

void Device::stage(PeerId id, Bytes packet, Now now, Actions& out) {
    if (auto* found = peer(id)) found->stage(std::move(packet), now, out);
}

void Device::sent(PeerId id, const Traffic& traffic, Now now, Actions& out) {
    if (auto* found = peer(id)) found->sent(traffic, now, out);
}

KeypairPtr Device::keypair_to_open(std::uint32_t receiver, MonotonicTime now) const {
    const auto* entry = environment_.indexes.find(receiver);
    return entry != nullptr && entry->keypair && entry->keypair->alive(now) ? entry->keypair : nullptr;
}

void Device::received(const Keypair& keypair, const Traffic& traffic, const Endpoint& from, Now now, Actions& out) {
    if (auto* found = peer(keypair.peer())) found->received(keypair, traffic, from, now, out);
}

std::optional<InnerPacket> Device::admit(PeerId id, BytesView plaintext) const {
    auto packet = parse_inner_packet(plaintext);
    if (packet && allowed_ips_.find(packet->source) != id) packet.reset();
    return packet;
}

bool Device::handle_handshake(BytesView datagram, const Endpoint& from, Now now, Actions& out) {
    const auto type = classify(datagram);
    if (!type || !environment_.identity) return false;
    ++work_.messages;
    switch (*type) {
        case MessageType::initiation:
            return affordable(datagram, from, now.steady, out) && handle_initiation(datagram, from, now, out);
        case MessageType::response:
            return affordable(datagram, from, now.steady, out) && handle_response(datagram, from, now, out);
        case MessageType::cookie_reply: return handle_cookie_reply(datagram, now.steady);
        case MessageType::data: return false;
    }
    return false;
}

bool Device::affordable(BytesView datagram, const Endpoint& from, MonotonicTime now, Actions& out) {
    if (!checker_->mac1_valid(datagram)) return false;
    if (!load_.busy(now)) return true;
    const StackWipe wipe;
    if (checker_->mac2_valid(datagram, from, now, environment_.rng)) return sources_.allow(from.address, now);
    ++work_.cookies;
    const auto reply = checker_->make_reply(datagram, from, now, environment_.rng).encode();
    out.emplace_back(SendDatagram{from, Bytes(reply.begin(), reply.end())});
    return false;
}

bool Device::handle_initiation(BytesView datagram, const Endpoint& from, Now now, Actions& out) {
    ++work_.computations;
    const StackWipe wipe;
    auto opened = open_initiation(*identity(), Initiation::decode(datagram));
    if (!opened) return false;
    const auto id = find_peer(opened->peer);
    return id && peer(*id)->handle_initiation(std::move(*opened), from, now, out);
}

bool Device::handle_response(BytesView datagram, const Endpoint& from, Now now, Actions& out) {
    const auto response = Response::decode(datagram);
    const auto* entry = environment_.indexes.find(response.receiver);
    if (entry == nullptr || entry->keypair) return false;
    ++work_.computations;
    const StackWipe wipe;
    return peer(entry->peer)->handle_response(response, from, now, out);
}

bool Device::handle_cookie_reply(BytesView datagram, MonotonicTime now) {
    const auto reply = CookieReply::decode(datagram);
    const auto* entry = environment_.indexes.find(reply.receiver);
    if (entry == nullptr) return false;
    ++work_.cookies;
    const StackWipe wipe;
    return peer(entry->peer)->handle_cookie_reply(reply, now);
}

void Device::forget_source(const Source& source) {
    peers_.for_each([&](std::uint32_t, const std::unique_ptr<Peer>& peer) { peer->forget_source(source); });
}

Peer* Device::first_in_line() {
    while (auto* first = environment_.agenda.first()) {
        const auto deadline = first->peer().next_deadline();
        if (deadline == environment_.agenda.next()) return &first->peer();
        first->set(deadline);
    }
    return nullptr;
}

Deadline Device::next_deadline() {
    const auto* first = first_in_line();
    return first != nullptr ? first->next_deadline() : std::nullopt;
}

void Device::advance(Now now, Actions& out) {
    for (std::size_t i = 0; i < kPeersPerAdvance; ++i) {
        auto* first = first_in_line();
        if (first == nullptr || now.steady < *first->next_deadline()) return;
        first->advance(now, out);
    }
}

}  // namespace myst::wireguard
