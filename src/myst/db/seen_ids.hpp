// Remembers the ids of the last records, to recognise repetitions.
#pragma once

#include <cstddef>
#include <deque>
#include <unordered_set>

#include "myst/base/bytes.hpp"

namespace myst::db {

/// A set of bounded size that forgets its oldest member first.
class SeenIds {
public:
    explicit SeenIds(std::size_t capacity) : capacity_(capacity) {}

    [[nodiscard]] bool contains(const Hash32& id) const { return ids_.contains(id); }
    /// False if the id is in the set already.
    bool insert(const Hash32& id) {
        if (!ids_.insert(id).second) return false;
        order_.push_back(id);
        if (order_.size() > capacity_) {
            ids_.erase(order_.front());
            order_.pop_front();
        }
        return true;
    }

private:
    std::size_t capacity_;
    std::unordered_set<Hash32, FixedBytesHash> ids_;
    std::deque<Hash32> order_;
};

}  // namespace myst::db
