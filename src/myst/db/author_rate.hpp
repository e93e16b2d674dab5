// How often each author may publish.
#pragma once

#include <deque>
#include <unordered_map>

#include "myst/base/clock.hpp"
#include "myst/db/admission.hpp"

namespace myst::db {

/// A token bucket for each author. Memory is bounded: who has been remembered for longest is forgotten, and his bucket
/// is full again. Control thread.
class AuthorRate {
public:
    explicit AuthorRate(PublishRate rate, std::size_t remembered = 16'384) : rate_(rate), remembered_(remembered) {}

    /// Takes a token for one record; false if there is none.
    [[nodiscard]] bool take(const NodeKey& author, MonotonicTime now);
    /// For a record that was not stored after all.
    void give_back(const NodeKey& author);

private:
    PublishRate rate_;
    std::size_t remembered_;
    std::unordered_map<NodeKey, MonotonicTime, FixedBytesHash> full_at_;  ///< when the bucket is full
    std::deque<NodeKey> order_;                                           ///< the keys of `full_at_`, oldest first
};

}  // namespace myst::db
