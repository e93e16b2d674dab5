#include "myst/db/author_rate.hpp"

#include <algorithm>

namespace myst::db {

bool AuthorRate::take(const NodeKey& author, MonotonicTime now) {
    const auto [bucket, added] = full_at_.try_emplace(author, now);
    if (added) order_.push_back(author);
    const auto full_at = std::max(bucket->second, now) + rate_.interval;
    const bool there = full_at - now <= rate_.interval * static_cast<std::int64_t>(rate_.burst);
    if (there) bucket->second = full_at;
    if (order_.size() > remembered_) {
        full_at_.erase(order_.front());
        order_.pop_front();
    }
    return there;
}

void AuthorRate::give_back(const NodeKey& author) {
    if (const auto bucket = full_at_.find(author); bucket != full_at_.end()) bucket->second -= rate_.interval;
}

}  // namespace myst::db
