#include "myst/wireguard/allowed_ips.hpp"

#include <algorithm>
#include <bit>

#include "myst/base/check.hpp"

namespace myst::wireguard {
namespace {

using Bits = PrefixTrie::Bits;

Bits bits_of(const IpAddress& address) {
    Bits bits;
    for (std::size_t i = 0; i < 8; ++i) {
        bits.high = bits.high << 8 | address.bytes[i];
        bits.low = bits.low << 8 | address.bytes[8 + i];
    }
    return bits;
}

/// How many bits both have in common from the front.
unsigned common_length(Bits a, Bits b) {
    if (a.high != b.high) return static_cast<unsigned>(std::countl_zero(a.high ^ b.high));
    return 64 + static_cast<unsigned>(std::countl_zero(a.low ^ b.low));
}

unsigned bit_at(Bits bits, unsigned position) {
    const auto word = position < 64 ? bits.high : bits.low;
    return static_cast<unsigned>(word >> (63 - position % 64) & 1);
}

Bits first_bits(Bits bits, unsigned length) {
    const auto mask = [](unsigned kept) { return kept == 0 ? 0 : ~std::uint64_t{0} << (64 - kept); };
    return {bits.high & mask(std::min(length, 64U)), bits.low & mask(length > 64 ? length - 64 : 0)};
}

}  // namespace

void PrefixTrie::insert(Bits bits, unsigned length, PeerId owner) {
    Link link;
    while (const Index at = follow(link)) {
        const unsigned common = std::min({common_length(nodes_[at].bits, bits), unsigned{nodes_[at].length}, length});
        if (common < nodes_[at].length) {
            // The new prefix ends inside this node's, or leaves it there: something stands in between.
            const Index between = add_node(first_bits(bits, common), common);
            nodes_[between].children[bit_at(nodes_[at].bits, common)] = at;
            follow(link) = between;
            continue;
        }
        if (length == common) break;
        link = {at, bit_at(bits, common)};
    }
    if (follow(link) == 0) {
        const Index leaf = add_node(bits, length);
        follow(link) = leaf;
    }
    auto& node = nodes_[follow(link)];
    node.owner = owner;
    node.owned = true;
}

void PrefixTrie::erase(Bits bits, unsigned length) {
    Link above;
    Link link;
    while (nodes_[follow(link)].length < length) {
        above = link;
        link = {follow(link), bit_at(bits, nodes_[follow(link)].length)};
        CHECK(follow(link) != 0);
    }
    nodes_[follow(link)].owned = false;
    drop_if_idle(link);
    if (link.parent != 0) drop_if_idle(above);
}

std::optional<PeerId> PrefixTrie::find(Bits address, unsigned width) const {
    std::optional<PeerId> best;
    for (Index at = root_; at != 0;) {
        const auto& node = nodes_[at];
        if (common_length(node.bits, address) < node.length) break;
        if (node.owned) best = node.owner;
        if (node.length >= width) break;
        at = node.children[bit_at(address, node.length)];
    }
    return best;
}

std::optional<PeerId> PrefixTrie::find_exactly(Bits bits, unsigned length) const {
    for (Index at = root_; at != 0;) {
        const auto& node = nodes_[at];
        if (node.length > length || common_length(node.bits, bits) < node.length) break;
        if (node.length == length) return node.owned ? std::optional(node.owner) : std::nullopt;
        at = node.children[bit_at(bits, node.length)];
    }
    return std::nullopt;
}

PrefixTrie::Index PrefixTrie::add_node(Bits bits, unsigned length) {
    Index at = 0;
    if (free_.empty()) {
        at = static_cast<Index>(nodes_.size());
        nodes_.emplace_back();
    } else {
        at = free_.back();
        free_.pop_back();
    }
    nodes_[at] = Node{bits, {}, {}, static_cast<std::uint8_t>(length), false};
    return at;
}

/// A node that nobody owns and that is no fork gives its place to its only child.
void PrefixTrie::drop_if_idle(Link link) {
    const Index at = follow(link);
    const auto& node = nodes_[at];
    if (node.owned || (node.children[0] != 0 && node.children[1] != 0)) return;
    follow(link) = node.children[0] != 0 ? node.children[0] : node.children[1];
    free_.push_back(at);
}

bool AllowedIps::insert(const IpPrefix& prefix, PeerId peer) {
    auto& trie = trie_of(prefix.address);
    const auto bits = bits_of(prefix.address);
    const auto owner = trie.find_exactly(bits, prefix.length);
    if (owner == peer) return true;
    if (!owner && count_ >= kMaxPrefixes) return false;
    if (owner) {
        by_peer_[*owner].erase(prefix);
    } else {
        ++count_;
    }
    trie.insert(bits, prefix.length, peer);
    by_peer_[peer].insert(prefix);
    return true;
}

void AllowedIps::remove(const IpPrefix& prefix, PeerId peer) {
    const auto found = by_peer_.find(peer);
    if (found == by_peer_.end() || found->second.erase(prefix) == 0) return;
    trie_of(prefix.address).erase(bits_of(prefix.address), prefix.length);
    --count_;
}

void AllowedIps::remove_all(PeerId peer) {
    for (const auto& prefix : prefixes_of(peer)) remove(prefix, peer);
    by_peer_.erase(peer);
}

std::optional<PeerId> AllowedIps::find(const IpAddress& address) const {
    const auto& trie = address.version == IpAddress::Version::v4 ? v4_ : v6_;
    return trie.find(bits_of(address), address.bits());
}

std::vector<IpPrefix> AllowedIps::prefixes_of(PeerId peer) const {
    const auto found = by_peer_.find(peer);
    if (found == by_peer_.end()) return {};
    return {found->second.begin(), found->second.end()};
}

}  // namespace myst::wireguard
