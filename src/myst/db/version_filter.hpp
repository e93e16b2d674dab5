// Several relays hold several versions of the same record; this lets each record through once, and never an older
// version after a newer one.
#pragma once

#include <deque>
#include <map>

#include "myst/db/record.hpp"
#include "myst/db/seen_ids.hpp"

namespace myst::db {

/// Remembers a bounded number of records; forgets the oldest first.
class VersionFilter {
public:
    explicit VersionFilter(std::size_t capacity) : capacity_(capacity), seen_(capacity) {}

    /// False: a repetition, an outdated version, or expired.
    [[nodiscard]] bool admit(const codec::Event& event, UnixTime now);

private:
    struct Version {
        UnixTime created_at{};
        Hash32 id;
    };
    std::size_t capacity_;
    SeenIds seen_;
    std::map<RecordAddress, Version> newest_;
    std::deque<RecordAddress> order_;
};

/// The valid records of several relays' answers: no repetitions, newest versions only, nothing expired; in the order
/// of a store's answer, at most `limit`.
[[nodiscard]] std::vector<SharedRecord> merge_answers(std::vector<SharedRecord> records, UnixTime now,
                                                      std::size_t limit);

}  // namespace myst::db
