// A record on its way through the node: decoded once, encoded once, shared by everyone who looks at it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "myst/codec/event.hpp"

namespace myst::db {

class Record;
using SharedRecord = std::shared_ptr<const Record>;

/// An event together with its JSON text. Every Record has a verified id and signature: the only ways to make one
/// check them, or read what was checked before it was stored. Immutable; safe from any thread.
class Record {
public:
    /// Checks id and signature (about 40 µs); invalid_data if they are wrong.
    [[nodiscard]] static Result<SharedRecord> verify(codec::Event event);
    /// Parses strictly, then verifies.
    [[nodiscard]] static Result<SharedRecord> verify_json(std::string_view json, const codec::EventLimits& limits = {});
    /// For texts from the own store, which were verified before they were written.
    [[nodiscard]] static Result<SharedRecord> restore(std::string json);

    [[nodiscard]] const codec::Event& event() const { return event_; }
    /// The event object as it goes over the wire.
    [[nodiscard]] const std::string& json() const { return json_; }

private:
    Record(codec::Event event, std::string json) : event_(std::move(event)), json_(std::move(json)) {}
    codec::Event event_;
    std::string json_;
};

/// Where a newer version replaces an older one: (kind, author, d tag). None for kinds that are not replaced.
/// The d tag is empty for replaceable kinds, and for addressable ones that lack it.
struct RecordAddress {
    std::uint32_t kind = 0;
    NodeKey author;
    std::string identifier;
    auto operator<=>(const RecordAddress&) const = default;
};
[[nodiscard]] std::optional<RecordAddress> address_of(const codec::Event& event);

/// The order of query results: newest first, at equal times the lower id first. Of two versions of one record the
/// one that comes first here is the valid one (NIP-01).
[[nodiscard]] bool comes_before(const codec::Event& a, const codec::Event& b);

/// When a record ends: by its expiration tag (NIP-40), and by its kind if that has an end of its own: a relay list
/// after a year, a deletion request once nothing that it names can be valid any more. None: never.
[[nodiscard]] std::optional<UnixTime> expiry_of(const codec::Event& event);
/// Whether the record has ended.
[[nodiscard]] bool is_expired(const codec::Event& event, UnixTime now);

}  // namespace myst::db
