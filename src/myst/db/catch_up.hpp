// Joins the two halves of a subscription, stored records first and live ones after, without a gap or a repetition.
#pragma once

#include <cstddef>
#include <unordered_set>
#include <utility>
#include <vector>

#include "myst/db/record.hpp"

namespace myst::db {

/// Subscribe first, then query. Live records that arrive while the query runs wait here; those that the query
/// returned as well are dropped.
class CatchUp {
public:
    explicit CatchUp(std::size_t max_waiting) : max_waiting_(max_waiting) {}

    /// True: the record has been kept for later. False: caught up, hand it on now.
    bool hold(const SharedRecord& record) {
        if (done_) return false;
        if (waiting_.size() < max_waiting_) {
            waiting_.push_back(record);
        } else {
            overflowed_ = true;
        }
        return true;
    }
    /// Notes a record that came out of the query.
    void note(const Hash32& id) { stored_.insert(id); }
    /// Ends the waiting; returns the live records that the query did not return, in order of arrival.
    [[nodiscard]] std::vector<SharedRecord> finish() {
        done_ = true;
        std::erase_if(waiting_, [this](const SharedRecord& record) { return stored_.contains(record->event().id); });
        stored_.clear();
        return std::exchange(waiting_, {});
    }
    /// More than `max_waiting` records arrived; the excess is lost.
    [[nodiscard]] bool overflowed() const { return overflowed_; }

private:
    std::size_t max_waiting_;
    bool done_ = false;
    bool overflowed_ = false;
    std::vector<SharedRecord> waiting_;
    std::unordered_set<Hash32, FixedBytesHash> stored_;
};

}  // namespace myst::db
