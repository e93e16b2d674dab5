#include "myst/db/version_filter.hpp"

#include <algorithm>

namespace myst::db {

bool VersionFilter::admit(const codec::Event& event, UnixTime now) {
    if (!seen_.insert(event.id)) return false;
    const auto address = address_of(event);
    if (!address) return !is_expired(event, now);
    const auto found = newest_.find(*address);
    if (found != newest_.end()) {
        codec::Event known;
        known.created_at = found->second.created_at;
        known.id = found->second.id;
        if (comes_before(known, event)) return false;
        found->second = {event.created_at, event.id};
        return !is_expired(event, now);
    }
    newest_.emplace(*address, Version{event.created_at, event.id});
    order_.push_back(*address);
    if (order_.size() > capacity_) {
        newest_.erase(order_.front());
        order_.pop_front();
    }
    return !is_expired(event, now);
}

std::vector<SharedRecord> merge_answers(std::vector<SharedRecord> records, UnixTime now, std::size_t limit) {
    std::sort(records.begin(), records.end(),
              [](const SharedRecord& a, const SharedRecord& b) { return comes_before(a->event(), b->event()); });
    // In this order the first version of an address is its newest.
    VersionFilter versions(records.size() + 1);
    std::erase_if(records, [&](const SharedRecord& record) { return !versions.admit(record->event(), now); });
    if (records.size() > limit) records.resize(limit);
    return records;
}

}  // namespace myst::db
