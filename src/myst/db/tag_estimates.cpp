#include "myst/db/tag_estimates.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace myst::db {
namespace {

constexpr std::int64_t kCounted = 2'000;  ///< entries that are looked at
constexpr std::uint64_t kFresh = 1'000;   ///< changes after which an estimate is made again
constexpr std::size_t kMaxKnown = 4'096;
constexpr std::size_t kMaxKeySize = 128;    ///< bytes; longer values are rare, and counted each time
constexpr std::size_t kMaxEntries = 256;    ///< searched one by one for a filter; each costs microseconds
constexpr std::int64_t kLifetime = 86'400;  ///< seconds over which records are taken to be spread

}  // namespace

TagEstimates::TagEstimates(sys::Database& database)
    : newest_(database.prepare("SELECT count(*),min(created_at),max(created_at) FROM (SELECT created_at FROM "
                               "record_tags WHERE name=? AND value=? AND kind=? ORDER BY created_at DESC LIMIT ?)")) {}

Result<std::size_t> TagEstimates::of(const TagEntry& entry) {
    auto key = fmt::format("{} {} {}", entry.kind, entry.name(), entry.value);
    if (key.size() > kMaxKeySize) return estimate(entry);
    const auto found = known_.find(key);
    if (found != known_.end() && changes_ - found->second.at_change < kFresh) return found->second.records;
    auto records = estimate(entry);
    if (!records) return records;
    if (known_.size() >= kMaxKnown) known_.clear();
    known_[std::move(key)] = {*records, changes_};
    return records;
}

Result<std::vector<TagEntry>> TagEstimates::rarest(const codec::Filter& filter) {
    std::vector<TagEntry> best;
    if (!filter.ids.empty() || !filter.authors.empty()) return best;
    const std::set<std::uint32_t> kinds(filter.kinds.begin(), filter.kinds.end());
    std::size_t fewest = 0;
    for (const auto& [letter, listed] : filter.tags) {
        const std::set<std::string> values(listed.begin(), listed.end());
        if (values.empty() || values.size() * kinds.size() > kMaxEntries) continue;
        std::vector<TagEntry> entries;
        std::size_t count = 0;
        for (const auto& value : values) {
            for (const auto kind : kinds) {
                entries.push_back({letter, value, kind});
                auto of_entry = of(entries.back());
                if (!of_entry) return forward_error(of_entry);
                count += *of_entry;
            }
        }
        if (!entries.empty() && (best.empty() || count < fewest)) {
            fewest = count;
            best = std::move(entries);
        }
    }
    // With many values of a tag it would cost much to look at each record of a kind.
    const bool names_tags =
        std::any_of(filter.tags.begin(), filter.tags.end(), [](const auto& tag) { return !tag.second.empty(); });
    if (!names_tags) {
        for (const auto kind : kinds) best.push_back({0, {}, kind});
    }
    return best;
}

Result<std::size_t> TagEstimates::estimate(const TagEntry& entry) {
    auto row = newest_.with(entry.name(), entry.value, entry.kind, kCounted).step();
    const auto count = newest_.integer(0);
    const auto span = std::max<std::int64_t>(newest_.integer(2) - newest_.integer(1), 1);
    newest_.reset();
    if (!row) return forward_error(row);
    if (count < kCounted) return static_cast<std::size_t>(count);
    return static_cast<std::size_t>(kCounted * std::max<std::int64_t>(kLifetime / span, 1));
}

}  // namespace myst::db
