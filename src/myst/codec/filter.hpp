// NIP-01 subscription filters.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "myst/codec/event.hpp"

namespace myst::codec {

/// All conditions must hold; within a list any value may match. Empty lists and absent values do not restrict.
struct Filter {
    std::vector<Hash32> ids;
    std::vector<NodeKey> authors;
    std::vector<std::uint32_t> kinds;
    std::map<char, std::vector<std::string>> tags;  ///< "#p" → tags['p']
    std::optional<UnixTime> since;
    std::optional<UnixTime> until;
    std::optional<std::uint32_t> limit;  ///< for stored events only
    bool operator==(const Filter&) const = default;

    /// Whether an event satisfies every condition but `limit`. Costs (event's tags × filter's values): for filters of
    /// our own. For those of strangers, see FilterMatcher.
    [[nodiscard]] bool matches(const Event& event) const;
};

/// A filter prepared for many events. A match costs one binary search per tag of the event, however many values the
/// filter holds. The lists are sorted and not hashed: whoever chooses the values could make hashes collide.
class FilterMatcher {
public:
    explicit FilterMatcher(Filter filter);
    /// As Filter::matches.
    [[nodiscard]] bool matches(const Event& event) const;
    /// The filter with its lists sorted, without repetitions and empty lists.
    [[nodiscard]] const Filter& filter() const { return filter_; }

private:
    Filter filter_;
};

/// Leaves out empty lists and absent values.
[[nodiscard]] std::string to_json(const Filter& filter);
/// Strict; unknown members are invalid_data, and so is an empty list, which relays disagree about (nothing or
/// everything). Values of #e and #p are ids and keys in lower-case hex. At most 64 values in a list, each of at most
/// 4 KiB; beyond that limit_exceeded.
[[nodiscard]] Result<Filter> parse_filter(std::string_view json);

}  // namespace myst::codec
