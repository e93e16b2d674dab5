// The proposals that were published, who has shown which of them, and how long that took.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "myst/base/clock.hpp"
#include "myst/base/rng.hpp"
#include "myst/codec/event.hpp"
#include "myst/db/negentropy.hpp"

namespace myst::bench {

/// Control thread. Nodes and offers are numbers from 0. A node "shows" an offer when it has sent its newest version.
class Offers {
public:
    Offers(Rng& rng, std::size_t nodes) : rng_(rng), shown_(nodes), missing_(nodes) {}

    /// A new proposal of a new author, or the next version of one that exists. Signed; not sent yet.
    struct Version {
        std::size_t offer = 0;
        Hash32 id;
        std::string json;
    };
    [[nodiscard]] Version make_new();
    [[nodiscard]] Version renew(std::size_t offer);
    [[nodiscard]] std::size_t size() const { return offers_.size(); }

    /// Times of the current version: it leaves for its first node; that node has taken it.
    void sent(std::size_t offer);
    void acknowledged(const Hash32& id);
    /// Forgets the offers whose current version nobody has acknowledged; returns how many.
    std::size_t forget_unacknowledged();

    /// A node has sent a record.
    void arrived(std::size_t node, const Hash32& id);
    /// What a comparison with a node showed: `lacking` of what is expected is not there.
    void compared(std::size_t node, const std::vector<Hash32>& lacking);
    /// Nothing is known of a node any more.
    void reset(std::size_t node);
    [[nodiscard]] std::size_t missing(std::size_t node) const { return missing_[node]; }

    /// What every node should have.
    [[nodiscard]] std::vector<db::SyncItem> expected() const;
    /// Offers acknowledged before `then` that a node does not show.
    [[nodiscard]] std::vector<std::size_t> missing_since(std::size_t node, MonotonicTime then) const;
    [[nodiscard]] MonotonicTime acknowledged_at(std::size_t offer) const { return *offers_[offer].acknowledged; }

    /// Milliseconds from sending: to every node by itself, and to the last of them. Collected since `restart_times`.
    struct Times {
        std::vector<std::uint32_t> each;
        std::vector<std::uint32_t> all;
    };
    [[nodiscard]] Times times(const std::vector<std::size_t>& nodes) const;
    void restart_times() { first_timed_ = offers_.size(); }

private:
    struct Offer {
        crypto::PrivateKey key;
        Hash32 id;
        UnixTime created_at{};
        MonotonicTime sent{};
        std::optional<MonotonicTime> acknowledged{};
        bool expected = true;
        std::vector<std::uint32_t> arrived_ms{};  ///< by node; kNever if not yet
    };
    static constexpr std::uint32_t kNever = UINT32_MAX;
    [[nodiscard]] Version sign(std::size_t offer);

    Rng& rng_;
    std::vector<Offer> offers_;
    std::unordered_map<Hash32, std::size_t, FixedBytesHash> by_id_;  ///< current versions only
    std::vector<std::vector<bool>> shown_;                           ///< by node, then offer
    std::vector<std::size_t> missing_;
    std::size_t first_timed_ = 0;
};

}  // namespace myst::bench
