// Translates a subscription filter into SQL over the tables of RecordTable.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "myst/codec/filter.hpp"

namespace myst::db {

/// A value to bind: number, text or blob.
using SqlValue = std::variant<std::int64_t, std::string, Bytes>;

/// A SELECT of the columns `id` and `created_at`, and the values of its parameters in order. The text depends only on
/// the filter's shape, so it can be prepared once and kept.
struct SqlQuery {
    std::string text;
    std::vector<SqlValue> values;
};

/// Values in all lists of a filter.
[[nodiscard]] std::size_t count_values(const codec::Filter& filter);
/// Values in all lists of one filter; more are limit_exceeded.
inline constexpr std::size_t kMaxFilterValues = 256;

/// At most `limit` rows, newest first, then lowest id; nothing that expired by `now`.
[[nodiscard]] Result<SqlQuery> build_query(const codec::Filter& filter, UnixTime now, std::size_t limit);

/// One value of one tag of one kind, or a kind alone: what the index of tags holds in the order of answers.
struct TagEntry {
    char letter = 0;  ///< 0: the kind alone, with an empty value
    std::string value;
    std::uint32_t kind = 0;
    [[nodiscard]] std::string name() const { return letter == 0 ? std::string() : std::string(1, letter); }
};
/// As `build_query` for the records with this entry only, which must be among those the filter asks for. Reads nothing
/// but the index, and no more of it than it takes to find `limit` records that match the filter's other tags. For
/// filters without ids and authors.
[[nodiscard]] SqlQuery build_tag_query(const TagEntry& entry, const codec::Filter& filter, UnixTime now,
                                       std::size_t limit);

}  // namespace myst::db
