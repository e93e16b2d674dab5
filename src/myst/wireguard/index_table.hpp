// Where the receiver index of a message leads.
#pragma once

#include <deque>

#include "myst/base/rng.hpp"
#include "myst/wireguard/flat_map.hpp"
#include "myst/wireguard/keypair.hpp"

namespace myst::wireguard {

/// Random 32-bit indexes of initiations and keypairs, each given out once. A freed index leads nowhere, and is not
/// given out again for kIndexGrace, unless kMaxResting were freed meanwhile. Whoever gets an index frees it. One
/// thread.
class IndexTable {
public:
    static constexpr std::size_t kMaxResting = 65'536;

    struct Entry {
        PeerId peer{};
        KeypairPtr keypair;  ///< empty: the index of an initiation that waits for its response
    };

    explicit IndexTable(Rng& rng) : rng_(rng) {}

    /// A fresh index that leads to the peer.
    [[nodiscard]] std::uint32_t add(PeerId peer, MonotonicTime now);
    /// From now on the index, which was given out by `add`, leads to this keypair.
    void attach(std::uint32_t index, KeypairPtr keypair);
    void remove(std::uint32_t index, MonotonicTime now);
    /// Null: it leads nowhere. Until the next `add` or `remove`.
    [[nodiscard]] const Entry* find(std::uint32_t index) const;
    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    /// Whether a freed index is still kept back.
    [[nodiscard]] bool resting(std::uint32_t index) const { return resting_.contains(index); }

private:
    struct Freed {
        std::uint32_t index = 0;
        MonotonicTime until;
    };
    void release_rested(MonotonicTime now);

    struct Nothing {};

    Rng& rng_;
    FlatMap<Entry> entries_;
    FlatMap<Nothing> resting_;
    std::deque<Freed> queue_;  ///< the same, oldest first
};

}  // namespace myst::wireguard
