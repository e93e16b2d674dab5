#include "myst/db/record_deletion.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/base/amount.hpp"
#include "myst/codec/record_kinds.hpp"
#include "myst/db/record_table.hpp"

namespace myst::db {
namespace {

/// A record is deleted for ever.
constexpr UnixTime kForEver{seconds(INT64_MAX)};

/// A request may be dated so much before the records that it names.
constexpr seconds kClockDifference{15 * 60};
static_assert(codec::kDeletionLife >= std::max(codec::kReceiptLife, codec::kRelayListLife));

seconds life_of(std::uint32_t kind) {
    return codec::longest_life(kind).value_or(codec::kDeletionLife);
}

/// Of the records that are named by their ids, as far as the request says what they are.
seconds life_of_ids(const codec::Event& request) {
    std::optional<seconds> longest;
    for (const auto& tag : request.tags) {
        if (tag.size() < 2 || tag[0] != "k") continue;
        const auto kind = parse_u64(tag[1]);
        const bool known = kind && *kind <= codec::kMaxEventKind;
        const auto life = known ? life_of(static_cast<std::uint32_t>(*kind)) : codec::kDeletionLife;
        longest = std::max(longest.value_or(life), life);
    }
    return longest.value_or(codec::kDeletionLife);
}

// Keys of the table: ids and addresses begin with different letters, so that they cannot be mixed up.
Bytes target_of(const Hash32& id) {
    Bytes target{'e'};
    target.insert(target.end(), id.bytes.begin(), id.bytes.end());
    return target;
}

/// A gift wrap that its recipient has deleted. Apart, because this outlives the recipient's revocation.
Bytes wrap_target_of(const Hash32& id) {
    auto target = target_of(id);
    target.front() = 'w';
    return target;
}

Bytes target_of(const RecordAddress& address) {
    const auto text = fmt::format("a{}:{}", address.kind, address.identifier);
    return {text.begin(), text.end()};
}

/// What nobody can take back, the author included: who has stolen a key could undo its revocation.
bool is_for_ever(std::uint32_t kind) {
    return kind == codec::kDeletionKind || kind == codec::kRevocationKind;
}

/// "<kind>:<pubkey>:<d>", if it is an address of this author at which records are replaced and can be deleted.
std::optional<RecordAddress> read_address(std::string_view text, const NodeKey& author) {
    const auto first = text.find(':');
    const auto second = first == std::string_view::npos ? first : text.find(':', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    const auto kind = parse_u64(text.substr(0, first));
    if (!kind || *kind > codec::kMaxEventKind) return std::nullopt;
    if (is_for_ever(static_cast<std::uint32_t>(*kind))) return std::nullopt;
    if (text.substr(first + 1, second - first - 1) != author.hex()) return std::nullopt;
    RecordAddress address{static_cast<std::uint32_t>(*kind), author, std::string(text.substr(second + 1))};
    switch (codec::classify_kind(address.kind)) {
        case codec::KindClass::addressable: return address;
        case codec::KindClass::replaceable: address.identifier.clear(); return address;
        case codec::KindClass::regular:
        case codec::KindClass::ephemeral: break;
    }
    return std::nullopt;
}

/// Whom a record belongs to as far as its deletion goes: its author, and the recipients of a gift wrap, whose author
/// is a key that nobody has any more.
std::vector<NodeKey> owners_of(const codec::Event& event) {
    std::vector<NodeKey> owners{event.pubkey};
    if (event.kind != codec::kGiftWrapKind) return owners;
    for (const auto& tag : event.tags) {
        if (tag.size() < 2 || tag[0] != "p") continue;
        if (const auto key = NodeKey::parse(tag[1])) owners.push_back(*key);
    }
    return owners;
}

}  // namespace

DeletionTargets deletion_targets(const codec::Event& request) {
    DeletionTargets targets;
    for (const auto& tag : request.tags) {
        if (tag.size() < 2) continue;
        if (tag[0] == "e" && tag[1].size() == 2 * Hash32::kSize) {
            if (const auto id = Hash32::parse(tag[1])) targets.ids.push_back(*id);
        }
        if (tag[0] == "a") {
            if (auto address = read_address(tag[1], request.pubkey)) targets.addresses.push_back(std::move(*address));
        }
    }
    return targets;
}

UnixTime deletion_end(const codec::Event& request) {
    const auto targets = deletion_targets(request);
    seconds life{};
    if (!targets.ids.empty()) life = life_of_ids(request);
    for (const auto& address : targets.addresses) life = std::max(life, life_of(address.kind));
    return request.created_at + life + kClockDifference;
}

DeletionTable::DeletionTable(sys::Database& database)
    : find_(database.prepare("SELECT 1 FROM deletions WHERE author=? AND target=? AND until>=?")),
      remember_(
          database.prepare("INSERT INTO deletions(author,target,until,ends) VALUES(?,?,?,?) "
                           "ON CONFLICT DO UPDATE SET until=max(until,excluded.until), ends=max(ends,excluded.ends)")),
      forget_(database.prepare("DELETE FROM deletions WHERE ends<=?")),
      find_id_(database.prepare("SELECT seq,json FROM records WHERE substr(id,1,8)=substr(?1,1,8) AND id=?1")),
      find_address_(
          database.prepare("SELECT seq FROM records WHERE substr(author,1,8)=substr(?2,1,8) AND kind=?1 AND author=?2 "
                           "AND identifier=?3 AND created_at<=?4")) {}

Result<bool> DeletionTable::covered(const NodeKey& author, BytesView target, UnixTime created_at) {
    auto row = find_.with(author, target, created_at.time_since_epoch().count()).step();
    find_.reset();
    return row;
}

Result<bool> DeletionTable::covers(const codec::Event& event) {
    if (is_for_ever(event.kind)) return false;
    for (const auto& owner : owners_of(event)) {
        auto found = covered(owner, target_of(event.id), event.created_at);
        if (!found || *found) return found;
        if (owner == event.pubkey) continue;
        found = covered(owner, wrap_target_of(event.id), event.created_at);
        if (!found || *found) return found;
    }
    const auto address = address_of(event);
    if (!address) return false;
    return covered(event.pubkey, target_of(*address), event.created_at);
}

Result<> DeletionTable::remember(const codec::Event& request, BytesView target, UnixTime until) {
    const auto ends = deletion_end(request).time_since_epoch().count();
    return remember_.with(request.pubkey, target, until.time_since_epoch().count(), ends).run();
}

Result<> DeletionTable::forget(UnixTime now) {
    return forget_.with(now.time_since_epoch().count()).run();
}

Result<std::vector<std::int64_t>> DeletionTable::enact(const codec::Event& request) {
    const auto targets = deletion_targets(request);
    std::vector<std::int64_t> rows;
    for (const auto& id : targets.ids) {
        if (auto done = enact_id(request, id, rows); !done) return forward_error(done);
    }
    for (const auto& address : targets.addresses) {
        if (auto done = enact_address(request, address, rows); !done) return forward_error(done);
    }
    std::sort(rows.begin(), rows.end());
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
    return rows;
}

Result<> DeletionTable::enact_id(const codec::Event& request, const Hash32& id, std::vector<std::int64_t>& rows) {
    // Remembered whether the record is here or not: it may come later, and only then it is seen who wrote it.
    if (auto done = remember(request, target_of(id), kForEver); !done) return done;
    auto row = find_id_.with(id).step();
    const auto seq = row && *row ? find_id_.integer(0) : 0;
    auto text = row && *row ? find_id_.text(1) : std::string();
    find_id_.reset();
    if (!row) return forward_error(row);
    if (!*row) return {};
    auto record = Record::restore(std::move(text));
    if (!record) return forward_error(record);
    const auto& event = (*record)->event();
    const auto owners = owners_of(event);
    const bool owned = std::find(owners.begin(), owners.end(), request.pubkey) != owners.end();
    if (!owned || is_for_ever(event.kind)) return {};
    rows.push_back(seq);
    if (event.pubkey != request.pubkey) return remember(request, wrap_target_of(id), kForEver);
    // The versions that this one has replaced must not come back in its place.
    if (const auto address = address_of(event)) return remember(request, target_of(*address), event.created_at);
    return {};
}

Result<> DeletionTable::enact_address(const codec::Event& request, const RecordAddress& address,
                                      std::vector<std::int64_t>& rows) {
    if (auto done = remember(request, target_of(address), request.created_at); !done) return done;
    const auto until = request.created_at.time_since_epoch().count();
    auto row = find_address_.with(address.kind, address.author, address.identifier, until).step();
    if (row && *row) rows.push_back(find_address_.integer(0));
    find_address_.reset();
    if (!row) return forward_error(row);
    return {};
}

Result<PutOutcome> RecordTable::put_deletion(const Record& record, UnixTime now, const AuthorShare& share) {
    const auto& event = record.event();
    // Requests may live for long, so they have bounds of their own. They do not count with the author's records: an
    // author whose share is used up must be able to delete.
    auto of_author = count_of(count_names_.with(event.pubkey, event.kind));
    if (!of_author) return forward_error(of_author);
    if (*of_author >= share.deletions) {
        return fail(ErrorCode::limit_exceeded, "this author has too many deletion requests here",
                    "name several records in one request");
    }
    auto in_all = count_of(count_kind_.with(event.kind));
    if (!in_all) return forward_error(in_all);
    if (*in_all >= share.deletions_in_all) {
        return fail(ErrorCode::limit_exceeded, "this relay keeps no more deletion requests");
    }
    if (auto room = make_room_in_all(now); !room) return forward_error(room);
    auto rows = deletions_.enact(event);
    if (!rows) return forward_error(rows);
    for (const auto seq : *rows) {
        if (auto done = remove(seq); !done) return forward_error(done);
    }
    if (auto done = insert(record, nullptr); !done) return forward_error(done);
    return PutOutcome::stored;
}

}  // namespace myst::db
