// Recognises connections of a node to its own relay, whatever address led there.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "myst/base/bytes.hpp"
#include "myst/base/rng.hpp"

namespace myst::db {

/// Shared by a node's relay and its clients. Each connection attempt carries a random number of its own, so that relays
/// learn nothing by which they could recognise the node; the own relay asks here whether it is one of the node's.
/// Control thread.
class SelfCheck {
public:
    /// `rng` must outlive it.
    explicit SelfCheck(Rng& rng) : rng_(rng) {}

    /// The number of a new attempt. Remembered until `end`.
    [[nodiscard]] std::string begin() {
        auto id = random_bytes<Hash32>(rng_).hex();
        open_.emplace(id, false);
        return id;
    }
    /// For the relay: whether a client of this node sent this number just now.
    [[nodiscard]] bool meet(std::string_view id) {
        const auto found = open_.find(id);
        if (found == open_.end()) return false;
        found->second = true;
        return true;
    }
    /// The attempt is over; whether it led to the own relay.
    [[nodiscard]] bool end(const std::string& id) {
        const auto found = open_.find(id);
        const bool met = found != open_.end() && found->second;
        if (found != open_.end()) open_.erase(found);
        return met;
    }

private:
    Rng& rng_;
    std::map<std::string, bool, std::less<>> open_;
};

}  // namespace myst::db
