// What a node is asking its peers for at the moment.
#pragma once

#include <unordered_set>
#include <vector>

#include "myst/base/bytes.hpp"

namespace myst::db {

/// Ids of records that some peer has been asked for, so that another need not be. A hint: who waited in vain asks all
/// the same. Control thread.
class AskedIds {
public:
    [[nodiscard]] bool contains(const Hash32& id) const { return ids_.contains(id); }
    void add(const std::vector<Hash32>& ids) { ids_.insert(ids.begin(), ids.end()); }
    void remove(const std::vector<Hash32>& ids) {
        for (const auto& id : ids) ids_.erase(id);
    }

private:
    std::unordered_set<Hash32, FixedBytesHash> ids_;
};

}  // namespace myst::db
