// As many peers and prefixes as a device takes, and that their memory comes back. With MYST_WIREGUARD_PEERS=65536 the
// limits are the real ones, else a sixteenth of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <set>

#include "myst/base/test_support/heap.hpp"
#include "myst/wireguard/test_support/pair.hpp"
#include "myst/wireguard/uapi_device.hpp"

namespace myst::wireguard {
namespace {

using test::Pair;
using test::SeededRng;

/// Freed indexes rest, small tables stay, and allocators keep some pieces for the next.
constexpr std::size_t kLittle = 24'000;

DeviceLimits limits() {
    const char* asked = std::getenv("MYST_WIREGUARD_PEERS");
    const auto peers = asked != nullptr ? std::strtoul(asked, nullptr, 10) : kMaxPeers / 16;
    return {peers, peers * (kMaxPrefixes / kMaxPeers)};
}

IpPrefix v4_of(std::uint32_t i) {
    const Bytes bytes{10, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8),
                      static_cast<std::uint8_t>(i)};
    return IpPrefix::of(IpAddress::from(bytes), 32);
}
IpPrefix v6_of(std::uint32_t i) {
    IpAddress address{IpAddress::Version::v6, {0xfd}};
    for (std::size_t at = 0; at < 4; ++at) address.bytes[12 + at] = static_cast<std::uint8_t>(i >> (24 - 8 * at));
    return IpPrefix::of(address, 128);
}

TEST(Limits, AreThoseOfTheDocumentation) {
    EXPECT_EQ(DeviceLimits{}.peers, 65'536U);
    EXPECT_EQ(DeviceLimits{}.prefixes, 1'048'576U);
}

class ManyPeers : public testing::Test {
protected:
    void SetUp() override { device.set_private_key(make_private_key(rng), clock.now().steady); }

    /// Any 32 bytes are a public key.
    TunnelKey random_key() {
        TunnelKey key;
        rng.fill(key.bytes);
        return key;
    }
    /// A peer with an IPv4 and an IPv6 address.
    PeerId add(const TunnelKey& key) {
        const auto id = device.add_peer(key).value();
        EXPECT_TRUE(device.allowed_ips().insert(v4_of(static_cast<std::uint32_t>(id)), id));
        EXPECT_TRUE(device.allowed_ips().insert(v6_of(static_cast<std::uint32_t>(id)), id));
        return id;
    }
    void add(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) add(random_key());
    }
    /// Peers with timers, and some with a handshake under way, are added and removed.
    void come_and_go(std::size_t count) {
        add(count);
        const auto peers = device.peers();
        const auto now = clock.now();
        Actions actions;
        for (const auto id : peers) device.peer(id)->set_persistent_interval(seconds(25), now, actions);
        for (const auto id : std::set{peers.front(), peers[count / 2], peers.back()}) {
            device.peer(id)->set_endpoint({v4_of(1).address, 1}, now, actions);
            device.stage(id, Pair::packet_to_b(), now, actions);
        }
        EXPECT_EQ(device.indexes().size(), std::min<std::size_t>(count, 3));
        for (const auto id : peers) device.remove_peer(id, now.steady);
        EXPECT_EQ(device.peers().size(), 0U);
        EXPECT_EQ(device.next_deadline(), std::nullopt);
        EXPECT_EQ(device.indexes().size(), 0U);
        EXPECT_EQ(device.allowed_ips().size(), 0U);
    }
    /// The peer's side of a handshake, as far as the device needs it.
    void shake_hands(const Identity& peer) {
        const auto& own = device.identity()->public_key;
        auto made = make_initiation(peer, own, peer.agree(own).value(), timestamps.next(clock.now().wall), 1, rng);
        auto message = made->message.encode();
        CookieGenerator(own).add_macs(message, clock.now().steady);
        Actions answer;
        ASSERT_TRUE(device.handle_handshake(message, {v4_of(1).address, 1}, clock.now(), answer));
    }

    test::TestClock clock;
    SeededRng rng{8};
    TimestampSource timestamps;
    Device device{rng, limits()};
};

TEST_F(ManyPeers, HandshakesWithOthersDoNotDriveAPeersTimestampsAhead) {
    const auto initiate = [this](const Identity& peer) {
        const auto now = clock.now();
        Actions actions;
        const auto id = device.add_peer(peer.public_key).value();
        device.peer(id)->set_endpoint({v4_of(1).address, 1}, now, actions);
        device.stage(id, Pair::packet_to_b(), now, actions);
        auto opened = open_initiation(peer, Initiation::decode(std::get<SendDatagram>(actions.at(0)).bytes)).value();
        return open_timestamp(opened, peer.agree(device.identity()->public_key).value()).value();
    };
    const auto first = Identity::from(make_private_key(rng));
    const auto before = initiate(first);
    for (int i = 0; i < 200; ++i) EXPECT_EQ(initiate(Identity::from(make_private_key(rng))), before);
    device.remove_peer(*device.find_peer(first.public_key), clock.now().steady);
    EXPECT_GT(initiate(first), before) << "who comes back at once would take it for a repetition";
}

TEST_F(ManyPeers, MoreThanTheLimitAreRefused) {
    add(limits().peers);
    const auto one_more = random_key();
    EXPECT_EQ(device.add_peer(one_more).error().code, ErrorCode::limit_exceeded);
    SocketSettings socket;
    Actions actions;
    const auto set = "set=1\npublic_key=" + one_more.hex() + "\n\n";
    EXPECT_EQ(answer_uapi(device, socket, set, clock.now(), actions).view(), print_uapi_errno(ENOSPC));

    const auto peers = device.peers();
    ASSERT_EQ(peers.size(), limits().peers);
    for (const auto id : {peers.front(), peers[peers.size() / 2], peers.back()}) {
        EXPECT_EQ(device.route(v4_of(static_cast<std::uint32_t>(id)).address), id);
        EXPECT_EQ(device.route(v6_of(static_cast<std::uint32_t>(id)).address), id);
    }
    device.remove_peer(peers.front(), clock.now().steady);
    EXPECT_TRUE(device.add_peer(one_more));
}

TEST_F(ManyPeers, AllTheirMemoryComesBack) {
    come_and_go(1);  // what is made once, in libraries also
    const auto before = heap_bytes();
    come_and_go(limits().peers);
    EXPECT_LT(heap_bytes(), before + kLittle);
}

TEST_F(ManyPeers, APeerTakesTwoKibibytesWithItsSession) {
    // Tables double when they are three quarters full, and so are hardly ever fuller than with so many.
    constexpr std::size_t kPeers = 700;
    constexpr std::size_t kLocked = 2 * sizeof(Secret<32>);  // which no heap knows of
    std::vector<Identity> peers;
    for (std::size_t i = 0; i < kPeers; ++i) peers.push_back(Identity::from(make_private_key(rng)));
    const auto before = heap_bytes();
    for (const auto& peer : peers) add(peer.public_key);
    const auto each = (heap_bytes() - before) / kPeers + kLocked;
    for (const auto& peer : peers) shake_hands(peer);
    EXPECT_EQ(device.indexes().size(), kPeers);
    const auto with_session = (heap_bytes() - before) / kPeers + kLocked + sizeof(SessionKeys);
    EXPECT_LE(each, 900U);
    EXPECT_LE(with_session, 2'150U);
}

TEST_F(ManyPeers, WhatWgIsToldHasThemAll) {
    SocketSettings socket;
    Actions actions;
    const auto lines = [&] {
        const auto told = answer_uapi(device, socket, "get=1\n\n", clock.now(), actions);
        EXPECT_TRUE(told.view().ends_with("errno=0\n\n"));
        return std::count(told.view().begin(), told.view().end(), '\n');
    };
    add(400);
    const auto first = lines();
    add(400);
    EXPECT_EQ(lines() - first, 400 * 10);
}

TEST(ManyPrefixes, MoreThanTheLimitAreRefusedAndAllMemoryComesBack) {
    const auto count = static_cast<std::uint32_t>(limits().prefixes);
    AllowedIps ips(count);
    const auto before = heap_bytes();
    for (std::uint32_t i = 0; i < count; ++i) {
        ASSERT_TRUE(ips.insert(i % 2 == 0 ? v4_of(i) : v6_of(i), PeerId{1 + i % 3}));
    }
    EXPECT_FALSE(ips.insert(v4_of(count), PeerId{1}));
    EXPECT_TRUE(ips.insert(v4_of(0), PeerId{2})) << "one that is there may move";
    EXPECT_EQ(ips.find(v4_of(0).address), PeerId{2});
    EXPECT_FALSE(ips.find(v4_of(count).address));
    EXPECT_LT(heap_bytes() - before, count * 160U);
    for (std::uint32_t peer = 1; peer <= 3; ++peer) ips.remove_all(PeerId{peer});
    EXPECT_EQ(ips.size(), 0U);
    EXPECT_LT(heap_bytes(), before + kLittle);
    EXPECT_TRUE(ips.insert(v4_of(count), PeerId{1}));
}

}  // namespace
}  // namespace myst::wireguard
