// Which peer an address inside the tunnel belongs to.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "myst/wireguard/endpoint.hpp"
#include "myst/wireguard/flat_map.hpp"
#include "myst/wireguard/keypair.hpp"

namespace myst::wireguard {

/// A binary trie of prefixes, one bit per step, in which nodes with a single way on are left out. Before it stands a
/// table of single addresses, which most prefixes are; it knows them all but those with the same hash as another. One
/// thread.
class PrefixTrie {
public:
    /// An address in the high bits; what is behind a prefix is zero.
    struct Bits {
        std::uint64_t high = 0;
        std::uint64_t low = 0;
        bool operator==(const Bits&) const = default;
    };
    struct Prefix {
        Bits bits;
        unsigned length = 0;
    };

    /// For addresses of `width` bits, 32 or 128.
    explicit PrefixTrie(unsigned width) : width_(width) {}

    /// Gives the prefix to the owner, whoever had it before.
    void insert(Bits bits, unsigned length, PeerId owner);
    /// The prefix must be there.
    void erase(Bits bits, unsigned length);
    /// The owner of the longest prefix of `address`.
    [[nodiscard]] std::optional<PeerId> find(Bits address) const;
    [[nodiscard]] std::optional<PeerId> find_exactly(Bits bits, unsigned length) const;
    /// In no order.
    [[nodiscard]] std::vector<Prefix> prefixes_of(PeerId owner) const;
    [[nodiscard]] std::size_t size() const { return size_; }

private:
    using Index = std::uint32_t;  ///< into nodes_; 0: none
    struct Node {
        Bits bits;
        std::array<Index, 2> children{};  ///< of a node that is free, the first is the next free one
        PeerId owner{};
        Index before = 0;  ///< in the list of the owner's prefixes
        Index after = 0;
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
    void give(Index at, PeerId owner);
    void take(Index at);
    [[nodiscard]] std::uint32_t hash(Bits address) const;

    unsigned width_;
    std::vector<Node> nodes_{1};  ///< the first is never used
    Index free_ = 0;
    Index root_ = 0;
    std::size_t size_ = 0;
    FlatMap<Index> hosts_;     ///< by hash: nodes of single addresses
    FlatMap<Index> first_of_;  ///< by owner: the first node of its list
};

/// The allowed addresses of all peers: each prefix belongs to one peer at most, and an address to the peer with the
/// longest prefix around it. One thread.
class AllowedIps {
public:
    explicit AllowedIps(std::size_t limit = kMaxPrefixes) : limit_(limit) {}

    /// Gives the prefix to the peer, whoever had it before. False: as many as the limit are there already.
    [[nodiscard]] bool insert(const IpPrefix& prefix, PeerId peer);
    /// Takes the prefix away if it is this peer's.
    void remove(const IpPrefix& prefix, PeerId peer);
    void remove_all(PeerId peer);
    [[nodiscard]] std::optional<PeerId> find(const IpAddress& address) const;
    /// In order of address.
    [[nodiscard]] std::vector<IpPrefix> prefixes_of(PeerId peer) const;
    [[nodiscard]] std::size_t size() const { return v4_.size() + v6_.size(); }

private:
    [[nodiscard]] PrefixTrie& trie_of(IpAddress::Version version) {
        return version == IpAddress::Version::v4 ? v4_ : v6_;
    }
    [[nodiscard]] const PrefixTrie& trie_of(IpAddress::Version version) const {
        return version == IpAddress::Version::v4 ? v4_ : v6_;
    }
    std::size_t limit_;
    PrefixTrie v4_{32};
    PrefixTrie v6_{128};
};

}  // namespace myst::wireguard
