#include "myst/wireguard/allowed_ips.hpp"

#include <algorithm>
#include <bit>
#include <utility>

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

IpPrefix prefix_from(const PrefixTrie::Prefix& prefix, IpAddress::Version version) {
    IpPrefix out{{version, {}}, static_cast<std::uint8_t>(prefix.length)};
    for (std::size_t i = 0; i < 8; ++i) {
        out.address.bytes[i] = static_cast<std::uint8_t>(prefix.bits.high >> (56 - 8 * i));
        out.address.bytes[8 + i] = static_cast<std::uint8_t>(prefix.bits.low >> (56 - 8 * i));
    }
    return out;
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
    const Index at = follow(link);
    if (nodes_[at].owned) take(at);
    give(at, owner);
}

void PrefixTrie::erase(Bits bits, unsigned length) {
    Link above;
    Link link;
    while (nodes_[follow(link)].length < length) {
        above = link;
        link = {follow(link), bit_at(bits, nodes_[follow(link)].length)};
        CHECK(follow(link) != 0);
    }
    take(follow(link));
    drop_if_idle(link);
    if (link.parent != 0) drop_if_idle(above);
    if (size_ > 0) return;
    nodes_ = std::vector<Node>(1);
    free_ = root_ = 0;
}

std::optional<PeerId> PrefixTrie::find(Bits address) const {
    const auto* host = hosts_.find(hash(address));
    if (host != nullptr && nodes_[*host].bits == address) return nodes_[*host].owner;
    std::optional<PeerId> best;
    for (Index at = root_; at != 0;) {
        const auto& node = nodes_[at];
        if (common_length(node.bits, address) < node.length) break;
        if (node.owned) best = node.owner;
        if (node.length >= width_) break;
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

std::vector<PrefixTrie::Prefix> PrefixTrie::prefixes_of(PeerId owner) const {
    std::vector<Prefix> prefixes;
    const auto* first = first_of_.find(static_cast<std::uint32_t>(owner));
    for (Index at = first != nullptr ? *first : 0; at != 0; at = nodes_[at].after) {
        prefixes.push_back({nodes_[at].bits, nodes_[at].length});
    }
    return prefixes;
}

PrefixTrie::Index PrefixTrie::add_node(Bits bits, unsigned length) {
    Index at = free_;
    if (at == 0) {
        // Doubling would leave a third of the memory unused on average.
        if (nodes_.size() == nodes_.capacity()) nodes_.reserve(nodes_.size() + nodes_.size() / 4 + 4);
        at = static_cast<Index>(nodes_.size());
        nodes_.emplace_back();
    } else {
        free_ = nodes_[at].children[0];
    }
    nodes_[at] = Node{bits, {}, {}, 0, 0, static_cast<std::uint8_t>(length), false};
    return at;
}

/// A node that nobody owns and that is no fork gives its place to its only child.
void PrefixTrie::drop_if_idle(Link link) {
    const Index at = follow(link);
    const auto& node = nodes_[at];
    if (node.owned || (node.children[0] != 0 && node.children[1] != 0)) return;
    follow(link) = node.children[0] != 0 ? node.children[0] : node.children[1];
    nodes_[at].children[0] = free_;
    free_ = at;
}

/// Puts a node in front of its new owner's list.
void PrefixTrie::give(Index at, PeerId owner) {
    auto& node = nodes_[at];
    auto& first = *first_of_.insert(static_cast<std::uint32_t>(owner)).first;
    if (first != 0) nodes_[first].before = at;
    node.before = 0;
    node.after = std::exchange(first, at);
    node.owner = owner;
    node.owned = true;
    ++size_;
    if (node.length != width_) return;
    const auto [host, fresh] = hosts_.insert(hash(node.bits));
    if (fresh) *host = at;
}

void PrefixTrie::take(Index at) {
    auto& node = nodes_[at];
    const auto owner = static_cast<std::uint32_t>(node.owner);
    if (node.after != 0) nodes_[node.after].before = node.before;
    if (node.before != 0) {
        nodes_[node.before].after = node.after;
    } else if (node.after != 0) {
        *first_of_.find(owner) = node.after;
    } else {
        first_of_.erase(owner);
    }
    node.owned = false;
    --size_;
    if (node.length != width_) return;
    const auto* host = hosts_.find(hash(node.bits));
    if (host != nullptr && *host == at) hosts_.erase(hash(node.bits));
}

/// An IPv4 address is its own; of an IPv6 address, all bits matter.
std::uint32_t PrefixTrie::hash(Bits address) const {
    if (width_ == 32) return static_cast<std::uint32_t>(address.high >> 32);
    const auto mixed = (address.high * 0x9e3779b97f4a7c15ULL ^ address.low) * 0xd6e8feb86659fd93ULL;
    return static_cast<std::uint32_t>(mixed >> 32);
}

bool AllowedIps::insert(const IpPrefix& prefix, PeerId peer) {
    auto& trie = trie_of(prefix.address.version);
    const auto bits = bits_of(prefix.address);
    const auto owner = trie.find_exactly(bits, prefix.length);
    if (owner == peer) return true;
    if (!owner && size() >= limit_) return false;
    trie.insert(bits, prefix.length, peer);
    return true;
}

void AllowedIps::remove(const IpPrefix& prefix, PeerId peer) {
    auto& trie = trie_of(prefix.address.version);
    const auto bits = bits_of(prefix.address);
    if (trie.find_exactly(bits, prefix.length) == peer) trie.erase(bits, prefix.length);
}

void AllowedIps::remove_all(PeerId peer) {
    for (auto* trie : {&v4_, &v6_}) {
        for (const auto& [bits, length] : trie->prefixes_of(peer)) trie->erase(bits, length);
    }
}

std::optional<PeerId> AllowedIps::find(const IpAddress& address) const {
    return trie_of(address.version).find(bits_of(address));
}

std::vector<IpPrefix> AllowedIps::prefixes_of(PeerId peer) const {
    std::vector<IpPrefix> prefixes;
    for (const auto version : {IpAddress::Version::v4, IpAddress::Version::v6}) {
        for (const auto& prefix : trie_of(version).prefixes_of(peer)) prefixes.push_back(prefix_from(prefix, version));
    }
    std::sort(prefixes.begin(), prefixes.end());
    return prefixes;
}

}  // namespace myst::wireguard
