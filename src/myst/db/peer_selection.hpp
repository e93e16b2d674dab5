// Which candidate a node connects to next, and which of its peers makes room for another (docs/records.md, "Choosing").
// Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "myst/db/peer_book.hpp"

namespace myst::db {

/// A peer that a node is connected to, or about to be.
struct PeerInUse {
    RelayUrl url;
    std::string group;              ///< of the address it stands for, or of the name; see `group_of`
    std::optional<NodeKey> author;  ///< of a found one: who named it
    bool registered = false;        ///< that author is
    bool connected = false;
};

/// A candidate, and the author it is used for.
struct ChosenPeer {
    PeerCandidate candidate;
    NodeKey author;
};

/// A random candidate of a random group, of a host, group and author that no peer in use has. A registered one, if
/// there is any and less than half of the found peers are. None if nothing is left.
[[nodiscard]] std::optional<ChosenPeer> choose_peer(const std::vector<PeerCandidate>& candidates,
                                                    const std::vector<PeerInUse>& in_use, Rng& rng);
/// The index of a connected found peer, at random, whose place another candidate could take; none if there is no such.
[[nodiscard]] std::optional<std::size_t> choose_leaver(const std::vector<PeerCandidate>& candidates,
                                                       const std::vector<PeerInUse>& in_use, Rng& rng);

}  // namespace myst::db
