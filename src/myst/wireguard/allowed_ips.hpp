// Which peer an address inside the tunnel belongs to.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "myst/wireguard/endpoint.hpp"
#include "myst/wireguard/keypair.hpp"

namespace myst::wireguard {

/// A binary trie of prefixes, one bit per step, in which nodes with a single way on are left out. One thread.
class PrefixTrie {
public:
    /// An address in the high bits; what is behind a prefix is zero.
    struct Bits {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
    };

    void insert(Bits bits, unsigned length, PeerId owner);
    /// The prefix must be there.
    void erase(Bits bits, unsigned length);
    /// The owner of the longest prefix of `address`, which has `width` bits.
    [[nodiscard]] std::optional<PeerId> find(Bits address, unsigned width) const;
    [[nodiscard]] std::optional<PeerId> find_exactly(Bits bits, unsigned length) const;

private:
    using Index = std::uint32_t;  ///< into nodes_; 0: none
    struct Node {
        Bits bits;
        std::array<Index, 2> children{};
        PeerId owner{};
        std::uint8_t length = 0;
        bool owned = false;  ///< false: only a fork
    };
    /// A way into a node: a child of another, or the root.
    struct Link {
        Index parent = 0;
        unsigned side = 0;
    };

    [[nodiscard]] Index add_node(Bits bits, unsigned length);
    [[nodiscard]] Index& follow(Link link) {
        return link.parent == 0 ? root_ : nodes_[link.parent].children[link.side];
    }
    void drop_if_idle(Link link);

    std::vector<Node> nodes_{1};  ///< the first is never used
    std::vector<Index> free_;
    Index root_ = 0;
};

/// The allowed addresses of all peers: each prefix belongs to one peer at most, and an address to the peer with the
/// longest prefix around it. One thread.
class AllowedIps {
public:
    /// Gives the prefix to the peer, whoever had it before. False: kMaxPrefixes are there already.
    [[nodiscard]] bool insert(const IpPrefix& prefix, PeerId peer);
    /// Takes the prefix away if it is this peer's.
    void remove(const IpPrefix& prefix, PeerId peer);
    void remove_all(PeerId peer);
    [[nodiscard]] std::optional<PeerId> find(const IpAddress& address) const;
    /// In order of address.
    [[nodiscard]] std::vector<IpPrefix> prefixes_of(PeerId peer) const;

private:
    [[nodiscard]] PrefixTrie& trie_of(const IpAddress& address) {
        return address.version == IpAddress::Version::v4 ? v4_ : v6_;
    }
    PrefixTrie v4_;
    PrefixTrie v6_;
    std::map<PeerId, std::set<IpPrefix>> by_peer_;
    std::size_t count_ = 0;
};

}  // namespace myst::wireguard
