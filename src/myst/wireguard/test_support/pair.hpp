// Devices that talk in memory, under one virtual clock.
#pragma once

#include <functional>
#include <map>
#include <vector>

#include "myst/wireguard/device.hpp"
#include "myst/wireguard/metered_batch.hpp"
#include "myst/wireguard/primitives.hpp"
#include "myst/wireguard/test_support/fixtures.hpp"

namespace myst::wireguard::test {

/// Time for all devices of a test. The wall clock can be put off for one of them.
class TestClock {
public:
    [[nodiscard]] Now now() const { return {steady_, wall_}; }
    void advance(nanoseconds by) {
        steady_ += by;
        wall_ += by;
    }
    void advance_to(MonotonicTime time) { advance(time - steady_); }

private:
    MonotonicTime steady_{seconds{1000}};
    WallTime wall_{seconds{1'700'000'000}};
};

/// A datagram on its way.
struct Sent {
    Endpoint from;
    Endpoint to;
    Bytes bytes;
};

/// A device with the part around it that seals and opens, one packet at a time.
class Node {
public:
    Node(std::uint64_t seed, Endpoint where, const TestClock& clock)
        : rng_(seed), private_key_(make_private_key(rng_)), where_(where), clock_(clock) {
        key_ = public_key_of(private_key_);
        restart();
    }

    /// A new device with the same key and without peers; what the old one had to send is lost.
    void restart() {
        device_ = std::make_unique<Device>(rng_);
        device_->set_private_key(private_key_.clone(), clock_.now().steady);
        outbox.clear();
    }

    [[nodiscard]] Device& device() { return *device_; }
    [[nodiscard]] const TunnelKey& key() const { return key_; }
    [[nodiscard]] const Secret<32>& private_key() const { return private_key_; }
    [[nodiscard]] const Endpoint& where() const { return where_; }
    void move_to(const Endpoint& where) { where_ = where; }
    /// The peer of this key.
    [[nodiscard]] Peer& peer(const TunnelKey& key) { return *device_->peer(device_->find_peer(key).value()); }

    /// A packet from the interface.
    void send(const Bytes& packet) {
        const auto parsed = parse_inner_packet(packet);
        const auto id = device_->route(parsed->destination);
        if (!id) return;
        Actions actions;
        const auto keypair = device_->keypair_to_send(*id, clock_.now().steady);
        SentBatch metered(device_->meter(*id));
        if (keypair && metered.admit(*parsed, 1, packet.size(), packet.size()) == 1) {
            emit(*device_->peer(*id)->endpoint(), *keypair, packet);
            device_->sent(*id, {sealed_size(packet.size()), true}, clock_.now(), actions);
        } else if (!keypair && metered.may_wait(*parsed, 1, packet.size())) {
            device_->stage(*id, packet, clock_.now(), actions);
        }
        metered.settle();
        carry_out(std::move(actions));
    }
    /// A datagram from the network.
    void receive(const Sent& datagram) {
        Actions actions;
        if (classify(datagram.bytes) == MessageType::data) {
            open(datagram, actions);
        } else {
            device_->handle_handshake(datagram.bytes, datagram.from, clock_.now(), actions);
        }
        carry_out(std::move(actions));
    }
    void advance() {
        Actions actions;
        device_->advance(clock_.now(), actions);
        carry_out(std::move(actions));
    }
    void carry_out(Actions actions) {
        for (auto& action : actions) {
            if (auto* message = std::get_if<SendDatagram>(&action)) {
                outbox.push_back({where_, message->to, std::move(message->bytes)});
            } else {
                const auto& batch = std::get<SealAndSend>(action);
                for (const auto& packet : batch.packets) emit(batch.to, *batch.keypair, packet);
            }
        }
    }

    std::vector<Sent> outbox;
    std::vector<Bytes> delivered;
    /// What arrived and opened, keepalives included.
    std::size_t opened = 0;
    /// Messages that were decrypted, for better or worse.
    std::size_t decrypted = 0;

private:
    void emit(const Endpoint& to, Keypair& keypair, BytesView packet) {
        const auto counter = keypair.take_counters(1);
        if (!counter) return;
        Bytes padded(packet.begin(), packet.end());
        padded.resize((packet.size() + 15) / 16 * 16);
        const auto header = DataHeader{keypair.indexes().remote, *counter}.encode();
        Bytes message(header.begin(), header.end());
        message.resize(kDataHeaderSize + padded.size() + kTagSize);
        seal(keypair.send_key(), *counter, padded, {}, std::span(message).subspan(kDataHeaderSize));
        outbox.push_back({where_, to, std::move(message)});
    }
    void open(const Sent& datagram, Actions& actions) {
        const auto header = DataHeader::decode(datagram.bytes);
        const auto keypair = device_->keypair_to_open(header.receiver, clock_.now().steady);
        if (!keypair || !keypair->replay().plausible(header.counter)) return;
        ReceivedBatch metered(device_->meter(keypair->peer()));
        open(datagram, *keypair, metered, actions);
        metered.settle();
    }
    void open(const Sent& datagram, Keypair& keypair, ReceivedBatch& metered, Actions& actions) {
        const auto counter = DataHeader::decode(datagram.bytes).counter;
        Bytes plain(datagram.bytes.size() - kKeepaliveSize);
        metered.expect(plain.size());
        const auto admission =
            metered.reserve(clock_.now().steady) ? ReceivedBatch::Admission::paid : metered.admit(plain.size());
        if (admission == ReceivedBatch::Admission::refused) return;
        ++decrypted;
        const auto sealed = BytesView(datagram.bytes).subspan(kDataHeaderSize);
        if (!wireguard::open(keypair.receive_key(), counter, sealed, {}, plain) || !keypair.replay().accept(counter)) {
            return metered.discard(plain.size(), admission);
        }
        ++opened;
        device_->received(keypair, {datagram.bytes.size(), !plain.empty()}, datagram.from, clock_.now(), actions);
        if (plain.empty()) return;
        const auto inner = device_->admit(keypair.peer(), plain);
        if (inner && metered.deliver(*inner, admission)) {
            plain.resize(inner->length);
            delivered.push_back(std::move(plain));
        }
    }

    SeededRng rng_;
    Secret<32> private_key_;
    std::unique_ptr<Device> device_;
    Endpoint where_;
    const TestClock& clock_;
    TunnelKey key_;
};

/// Two devices that know each other; a has 10.0.0.1 and fd00::1, b 10.0.0.2 and fd00::2 inside.
class Pair {
public:
    explicit Pair(std::uint64_t seed = 1)
        : a(2 * seed, endpoint("192.0.2.1:1"), clock), b(2 * seed + 1, endpoint("192.0.2.2:2"), clock) {
        introduce_to_each_other();
    }

    void introduce_to_each_other() {
        if (a.device().peers().empty()) introduce(a, b, {"10.0.0.2/32", "fd00::2/128"});
        if (b.device().peers().empty()) introduce(b, a, {"10.0.0.1/32", "fd00::1/128"});
    }
    /// Adds `other` to `node`, with its endpoint.
    void introduce(Node& node, const Node& other, const std::vector<std::string>& prefixes) {
        const auto id = node.device().add_peer(other.key()).value();
        for (const auto& text : prefixes) (void)node.device().allowed_ips().insert(prefix(text), id);
        Actions actions;
        node.device().peer(id)->set_endpoint(other.where(), clock.now(), actions);
        node.carry_out(std::move(actions));
    }
    [[nodiscard]] Peer& a_to_b() { return a.peer(b.key()); }
    [[nodiscard]] Peer& b_to_a() { return b.peer(a.key()); }

    [[nodiscard]] static Bytes packet_to_b(std::size_t content = 100) {
        return ip_packet(ip("10.0.0.1"), ip("10.0.0.2"), content);
    }
    [[nodiscard]] static Bytes packet_to_a(std::size_t content = 100) {
        return ip_packet(ip("10.0.0.2"), ip("10.0.0.1"), content);
    }

    /// Delivers what is under way, and what that leads to, until all is quiet.
    void exchange() {
        while (!a.outbox.empty() || !b.outbox.empty()) {
            for (const auto& datagram : take(a)) b.receive(datagram);
            for (const auto& datagram : take(b)) a.receive(datagram);
        }
    }
    [[nodiscard]] static std::vector<Sent> take(Node& node) { return std::exchange(node.outbox, {}); }
    /// What the node has sent, and is not to arrive: how many of this type.
    [[nodiscard]] static std::size_t lose(Node& node, MessageType type) {
        const auto lost = take(node);
        return static_cast<std::size_t>(
            std::count_if(lost.begin(), lost.end(), [&](const Sent& sent) { return classify(sent.bytes) == type; }));
    }

    /// Lets time pass, from one deadline to the next; with `connected`, messages arrive at once.
    void run_for(nanoseconds span, bool connected = true) {
        const auto end = clock.now().steady + span;
        for (;;) {
            auto next = end;
            for (auto* node : {&a, &b}) next = std::min(next, node->device().next_deadline().value_or(end));
            clock.advance_to(std::max(next, clock.now().steady));
            a.advance();
            b.advance();
            if (connected) exchange();
            if (next >= end) return;
        }
    }
    /// A session begun by a, confirmed on both sides.
    void connect() {
        a.send(packet_to_b());
        exchange();
    }

    TestClock clock;
    Node a;
    Node b;
};

}  // namespace myst::wireguard::test
