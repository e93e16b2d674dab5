// What is due is found without looking at every peer, and nothing else changes.
#include "myst/wireguard/agenda.hpp"

#include <gtest/gtest.h>

#include "myst/wireguard/test_support/pair.hpp"

namespace myst::wireguard {
namespace {

using test::Node;
using test::SeededRng;
using test::Sent;

Endpoint outside(std::size_t i) {
    return {IpPrefix::of(IpAddress::from(Bytes{192, 0, 2, static_cast<std::uint8_t>(i)}), 32).address, 7};
}
IpAddress inside(std::size_t i) {
    return IpAddress::from(Bytes{10, 0, 1, static_cast<std::uint8_t>(i)});
}

/// The earliest deadline of all peers, found by looking at each.
Peer* first_by_walking(Device& device) {
    Peer* first = nullptr;
    for (const auto id : device.peers()) {
        auto* peer = device.peer(id);
        const auto deadline = peer->next_deadline();
        if (deadline && (first == nullptr || *deadline < *first->next_deadline())) first = peer;
    }
    return first;
}

/// Two devices with the same keys, the same randomness and the same peers. One of them is asked what is due, at the
/// other one all peers are looked at.
class Twins {
public:
    static constexpr std::size_t kSpokes = 12;
    static constexpr std::size_t kHub = 200;

    explicit Twins(std::uint64_t seed)
        : rng_(seed), hub_(seed, outside(kHub), clock_), walked_(seed, outside(kHub), clock_) {
        for (std::size_t i = 0; i < kSpokes; ++i) {
            spokes_.push_back(std::make_unique<Node>(seed * 100 + i, outside(i), clock_));
            auto& device = spokes_.back()->device();
            const auto id = device.add_peer(hub_.key()).value();
            EXPECT_TRUE(device.allowed_ips().insert(IpPrefix::of(inside(kHub), 32), id));
            both([&](Node& node) { add(node, i); });
            apply(*spokes_[i], hub_.key(),
                  [&](Peer& peer, Actions& out) { peer.set_endpoint(hub_.where(), clock_.now(), out); });
        }
    }

    void step() {
        do_something();
        clock_.advance(rng_.chance(300) ? milliseconds(rng_.below(20'000)) : milliseconds(rng_.below(300)));
        for (auto& spoke : spokes_) spoke->advance();
        std::ignore = deliver();
        const auto* first = first_by_walking(walked_.device());
        ASSERT_EQ(hub_.device().next_deadline(), first != nullptr ? first->next_deadline() : std::nullopt);
        while (hub_.device().next_deadline().value_or(MonotonicTime::max()) <= clock_.now().steady) hub_.advance();
        walk();
        done_ += deliver();
    }
    /// How many messages the hub sent of its own accord.
    [[nodiscard]] std::size_t done() const { return done_; }

private:
    template <class Action>
    void both(const Action& action) {
        action(hub_);
        action(walked_);
    }
    template <class Change>
    void apply(Node& node, const TunnelKey& key, const Change& change) {
        Actions actions;
        change(node.peer(key), actions);
        node.carry_out(std::move(actions));
    }
    void add(Node& node, std::size_t i) {
        const auto id = node.device().add_peer(spokes_[i]->key()).value();
        EXPECT_TRUE(node.device().allowed_ips().insert(IpPrefix::of(inside(i), 32), id));
    }
    void do_something() {
        const auto i = rng_.below(kSpokes);
        auto& spoke = *spokes_[i];
        const auto id = hub_.device().find_peer(spoke.key());
        const auto interval = seconds(rng_.below(3) * 10);
        switch (rng_.below(10)) {
            case 0:
                return both([&](Node& node) {
                    apply(node, spoke.key(),
                          [&](Peer& peer, Actions& out) { peer.set_persistent_interval(interval, clock_.now(), out); });
                });
            case 1:
                return both([&](Node& node) {
                    node.device().remove_peer(*id, clock_.now().steady);
                    add(node, i);
                });
            case 2:
            case 3:
            case 4: return spoke.send(test::ip_packet(inside(i), inside(kHub), 10));
            default: both([&](Node& node) { node.send(test::ip_packet(inside(kHub), inside(i), 20)); });
        }
    }
    void walk() {
        for (;;) {
            auto* first = first_by_walking(walked_.device());
            if (first == nullptr || clock_.now().steady < *first->next_deadline()) return;
            Actions actions;
            first->advance(clock_.now(), actions);
            walked_.carry_out(std::move(actions));
        }
    }
    /// Both must have sent the same, to the byte. A part of it is lost. How much it was.
    std::size_t deliver() {
        std::size_t count = 0;
        for (bool quiet = false; !quiet;) {
            const auto sent = std::exchange(hub_.outbox, {});
            const auto same = std::exchange(walked_.outbox, {});
            EXPECT_TRUE(std::equal(sent.begin(), sent.end(), same.begin(), same.end(),
                                   [](const Sent& a, const Sent& b) { return a.to == b.to && a.bytes == b.bytes; }));
            count += sent.size();
            for (const auto& one : sent) {
                if (!rng_.chance(200)) spokes_[one.to.address.bytes[3]]->receive(one);
            }
            quiet = sent.empty();
            for (auto& spoke : spokes_) {
                for (const auto& one : std::exchange(spoke->outbox, {})) {
                    quiet = false;
                    if (!rng_.chance(200)) both([&](Node& node) { node.receive(one); });
                }
            }
        }
        return count;
    }

    SeededRng rng_;
    test::TestClock clock_;
    Node hub_;
    Node walked_;
    std::vector<std::unique_ptr<Node>> spokes_;
    std::size_t done_ = 0;
};

TEST(Agenda, LeadsToTheSameAsLookingAtEveryPeer) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        Twins twins(seed);
        for (int i = 0; i < 200 && !testing::Test::HasFailure(); ++i) twins.step();
        EXPECT_GT(twins.done(), 40U) << seed;
    }
}

TEST(Agenda, WhatIsDueAtOnceIsDoneInParts) {
    test::TestClock clock;
    Node node(1, outside(Twins::kHub), clock);
    constexpr std::size_t kPeers = 2 * Device::kPeersPerAdvance + 1;
    for (std::size_t i = 0; i < kPeers; ++i) {
        const auto other = Node(2 + i, outside(i), clock).key();
        const auto id = node.device().add_peer(other).value();
        Actions actions;
        node.device().peer(id)->set_endpoint(outside(i), clock.now(), actions);
        node.device().peer(id)->set_persistent_interval(seconds(1), clock.now(), actions);
    }
    clock.advance(kRekeyTimeout + kRekeyTimeoutJitter);
    for (const auto part : {Device::kPeersPerAdvance, Device::kPeersPerAdvance, std::size_t{1}, std::size_t{0}}) {
        EXPECT_EQ(node.device().next_deadline().value() <= clock.now().steady, part > 0);
        node.advance();
        EXPECT_EQ(std::exchange(node.outbox, {}).size(), part);
    }
}

}  // namespace
}  // namespace myst::wireguard
