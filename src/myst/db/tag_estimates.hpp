// About how many records have a tag: what decides with which of a filter's tags a search begins.
#pragma once

#include <string>
#include <unordered_map>

#include "myst/db/record_query.hpp"
#include "myst/sys/sqlite.hpp"

namespace myst::db {

/// Estimates from the newest entries of a tag, which are remembered until a thousand records have come or gone. One
/// thread at a time.
class TagEstimates {
public:
    /// `database` must have `record_tags`, and outlive this.
    explicit TagEstimates(sys::Database& database);

    /// Records with this entry: exact where there are few, else from how far back in time the newest of them reach.
    /// An estimate may be of a thousand changes ago.
    [[nodiscard]] Result<std::size_t> of(const TagEntry& entry);
    /// The entries that lead to all records of a filter: those of its rarest tag. None where another way is as good.
    [[nodiscard]] Result<std::vector<TagEntry>> rarest(const codec::Filter& filter);
    /// A record was added or removed.
    void on_change() { ++changes_; }

private:
    struct Known {
        std::size_t records = 0;
        std::uint64_t at_change = 0;
    };
    [[nodiscard]] Result<std::size_t> estimate(const TagEntry& entry);

    sys::Statement newest_;
    std::unordered_map<std::string, Known> known_;  ///< by name, value and kind; emptied when it grows too large
    std::uint64_t changes_ = 0;
};

}  // namespace myst::db
