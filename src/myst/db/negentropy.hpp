// Range-based set reconciliation, Negentropy Protocol 1 (docs/records.md): two sides find out which records only one of
// them has, with bytes in proportion to the difference. Pure: messages in, messages out; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "myst/base/bytes.hpp"

namespace myst::db {

/// What is compared of a record. `time` is in Unix seconds, below 2^64 − 1.
struct SyncItem {
    std::uint64_t time = 0;
    Hash32 id;
    auto operator<=>(const SyncItem&) const = default;
};

/// Why a message of the other side cannot be used.
enum class SyncError {
    truncated,  ///< it ends within a range, or is empty
    number,     ///< a number does not fit in 64 bits
    version,    ///< not protocol 1
    bound,      ///< an upper bound is below the one before it, or its id prefix is longer than an id
    mode,       ///< neither skip, fingerprint nor list
};
[[nodiscard]] std::string_view to_string(SyncError error);

/// The lower end of a range: everything from this item on.
using SyncBound = SyncItem;

/// A sorted set, fixed once made. About 40 bytes an item.
class SyncSet {
public:
    /// Sorts, and drops repetitions.
    explicit SyncSet(std::vector<SyncItem> items);
    [[nodiscard]] std::size_t size() const { return items_.size(); }
    [[nodiscard]] const SyncItem& operator[](std::size_t index) const { return items_[index]; }
    /// The first index from `from` on whose item is not below the bound.
    [[nodiscard]] std::size_t find(std::size_t from, const SyncBound& bound) const;
    /// Of the items from `first` up to, not including, `last`: 16 bytes.
    using Fingerprint = std::array<std::uint8_t, 16>;
    [[nodiscard]] Fingerprint fingerprint(std::size_t first, std::size_t last) const;

private:
    std::vector<SyncItem> items_;
};

/// Bytes of one message at most; 4096 or more.
inline constexpr std::size_t kSyncFrame = 60'000;
/// Into how many ranges one is divided; a range of fewer than twice as many items is listed instead.
inline constexpr std::size_t kSyncBuckets = 16;

/// The first message of the side that asks.
[[nodiscard]] Bytes sync_open(const SyncSet& set, std::size_t frame = kSyncFrame);

/// The answer of the side that is asked; needs no memory of earlier messages. To a message of another version it is the
/// version byte alone.
[[nodiscard]] tl::expected<Bytes, SyncError> sync_answer(const SyncSet& set, BytesView message,
                                                         std::size_t frame = kSyncFrame);

/// What the asking side learns of an answer.
struct SyncStep {
    std::optional<Bytes> next;  ///< to be sent; nothing: all differences are known
    std::vector<Hash32> have;   ///< only here
    std::vector<Hash32> need;   ///< only there; the other side's word, which may be wrong
};
[[nodiscard]] tl::expected<SyncStep, SyncError> sync_step(const SyncSet& set, BytesView answer,
                                                          std::size_t frame = kSyncFrame);

}  // namespace myst::db
