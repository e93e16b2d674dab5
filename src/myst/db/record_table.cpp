#include "myst/db/record_table.hpp"

#include <algorithm>
#include <unordered_set>

#include "myst/codec/record_kinds.hpp"
#include "myst/db/record_schema.hpp"

namespace myst::db {
namespace {

constexpr std::size_t kMaxPreparedQueries = 64;

// An OK waits for the disk, so pages are best written seldom: a page that many commits change moves from the log into
// the file once.
constexpr std::uint32_t kCacheKib = 8 * 1024;
constexpr std::uint32_t kLogPages = 8'000;  ///< 32 MiB

bool is_indexed(const codec::Tag& tag) {
    if (tag.size() < 2 || tag[0].size() != 1) return false;
    const char c = tag[0][0];
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Name and value of each entry that a record has in `record_tags`: one for its kind alone, and one for each tag.
std::vector<std::pair<std::string_view, std::string_view>> entries_of(const codec::Event& event) {
    std::vector<std::pair<std::string_view, std::string_view>> entries{{}};
    for (const auto& tag : event.tags) {
        if (is_indexed(tag)) entries.emplace_back(tag[0], tag[1]);
    }
    return entries;
}

void bind_values(sys::Statement& statement, const std::vector<SqlValue>& values) {
    statement.reset();
    int position = 1;
    for (const auto& value : values) {
        if (const auto* number = std::get_if<std::int64_t>(&value)) statement.bind(position, *number);
        if (const auto* text = std::get_if<std::string>(&value)) statement.bind(position, std::string_view(*text));
        if (const auto* blob = std::get_if<Bytes>(&value)) statement.bind(position, BytesView(*blob));
        ++position;
    }
}

void bind_expiry(sys::Statement& statement, int position, const codec::Event& event) {
    const auto end = expiry_of(event);
    if (end) statement.bind(position, end->time_since_epoch().count());
    if (!end) statement.bind_null(position);
}

}  // namespace

Result<std::size_t> RecordTable::count_of(sys::Statement& statement) {
    auto row = statement.step();
    const auto count = row && *row ? statement.integer(0) : 0;
    statement.reset();
    if (!row) return forward_error(row);
    return static_cast<std::size_t>(count);
}

std::string_view to_string(PutOutcome outcome) {
    switch (outcome) {
        case PutOutcome::stored: return "stored";
        case PutOutcome::duplicate: return "duplicate";
        case PutOutcome::older: return "older";
        case PutOutcome::deleted: return "deleted";
        case PutOutcome::expired: return "expired";
        case PutOutcome::ephemeral: return "ephemeral";
        case PutOutcome::revoked: return "revoked";
    }
    return "unknown";
}

RecordTable::RecordTable(sys::Database database, StoreLimits limits)
    : database_(std::move(database)),
      limits_(limits),
      find_id_(database_.prepare("SELECT 1 FROM records WHERE substr(id,1,8)=substr(?1,1,8) AND id=?1")),
      find_address_(
          database_.prepare("SELECT seq,created_at,id FROM records WHERE substr(author,1,8)=substr(?2,1,8) AND kind=?1 "
                            "AND author=?2 AND identifier=?3")),
      find_revocation_(database_.prepare("SELECT 1 FROM records WHERE substr(author,1,8)=substr(?2,1,8) AND kind=?1 "
                                         "AND author=?2 AND identifier=''")),
      load_(database_.prepare("SELECT json FROM records WHERE substr(id,1,8)=substr(?1,1,8) AND id=?1")),
      count_author_(database_.prepare("SELECT count(*) FROM records WHERE substr(author,1,8)=substr(?,1,8)")),
      count_names_(database_.prepare("SELECT count(*) FROM records WHERE substr(author,1,8)=substr(?,1,8) AND kind=?")),
      count_kind_(database_.prepare("SELECT count(*) FROM record_tags WHERE name='' AND value='' AND kind=?")),
      expired_(database_.prepare("SELECT seq FROM records WHERE expires_at<=? ORDER BY expires_at LIMIT 1")),
      expired_of_author_(
          database_.prepare("SELECT seq FROM records WHERE expires_at<=? AND substr(author,1,8)=substr(?,1,8) "
                            "ORDER BY expires_at LIMIT 1")),
      expired_of_kind_(database_.prepare(
          "SELECT seq FROM records WHERE expires_at<=? AND substr(author,1,8)=substr(?,1,8) AND kind=? "
          "ORDER BY expires_at LIMIT 1")),
      insert_(database_.prepare("INSERT INTO records(id,author,kind,identifier,created_at,expires_at,json) "
                                "VALUES(?,?,?,?,?,?,?)")),
      insert_tag_(database_.prepare("INSERT OR IGNORE INTO record_tags(name,value,kind,created_at,id,expires_at) "
                                    "VALUES(?,?,?,?,?,?)")),
      find_json_(database_.prepare("SELECT json FROM records WHERE seq=?")),
      delete_tag_(
          database_.prepare("DELETE FROM record_tags WHERE name=? AND value=? AND kind=? AND created_at=? AND id=?")),
      delete_(database_.prepare("DELETE FROM records WHERE seq=?")),
      deletions_(database_),
      estimates_(database_) {}

Result<RecordTable> RecordTable::open(const std::string& path, StoreLimits limits) {
    sys::DatabaseSettings settings;
    settings.durability = sys::Durability::full;
    settings.cache_kib = kCacheKib;
    settings.log_pages = kLogPages;
    auto database = sys::Database::open(path, settings);
    if (!database) return forward_error(database, "record store");
    auto migrated = database->migrate(record_migrations());
    if (!migrated) return forward_error(migrated, "record store");
    RecordTable table(std::move(*database), limits);
    auto count = table.database_.prepare("SELECT count(*) FROM records");
    if (auto row = count.step(); !row) return forward_error(row, "record store");
    table.stored_ = static_cast<std::size_t>(count.integer(0));
    return table;
}

Result<std::vector<Result<PutOutcome>>> RecordTable::put(const std::vector<SharedRecord>& records, UnixTime now,
                                                         const std::vector<Standing>& authors) {
    const std::size_t stored_before = stored_;
    auto transaction = sys::Transaction::begin(database_);
    if (!transaction) return forward_error(transaction, "record store");
    std::vector<Result<PutOutcome>> outcomes;
    outcomes.reserve(records.size());
    for (const auto& record : records) {
        const auto place = outcomes.size();
        const auto author = place < authors.size() ? authors[place] : Standing::registered;
        outcomes.push_back(put_one(*record, now, limits_.share_of(author)));
        // A full store refuses one record; any other failure puts the whole transaction in doubt.
        const auto& outcome = outcomes.back();
        if (!outcome && outcome.error().code != ErrorCode::limit_exceeded) {
            stored_ = stored_before;
            return tl::unexpected<Error>(outcome.error().in("record store"));
        }
    }
    if (auto done = transaction->commit(); !done) {
        stored_ = stored_before;
        return forward_error(done, "record store");
    }
    return outcomes;
}

Result<PutOutcome> RecordTable::put_one(const Record& record, UnixTime now, const AuthorShare& share) {
    const auto& event = record.event();
    if (codec::classify_kind(event.kind) == codec::KindClass::ephemeral) return PutOutcome::ephemeral;
    if (is_expired(event, now)) return PutOutcome::expired;
    auto known = find_id_.with(event.id).step();
    find_id_.reset();
    if (!known) return forward_error(known);
    if (*known) return PutOutcome::duplicate;
    auto revoked = is_revoked(event.pubkey);
    if (!revoked) return forward_error(revoked);
    if (event.kind == codec::kRevocationKind && !*revoked) return put_first_revocation(record, now, share);
    if (event.kind != codec::kRevocationKind && *revoked) return PutOutcome::revoked;
    if (event.kind == codec::kDeletionKind) return put_deletion(record, now, share);
    auto deleted = deletions_.covers(event);
    if (!deleted) return forward_error(deleted);
    if (*deleted) return PutOutcome::deleted;
    if (const auto address = address_of(event)) return replace(record, *address, now, share);
    if (auto room = make_room(record, nullptr, now, share); !room) return forward_error(room);
    if (auto done = insert(record, nullptr); !done) return forward_error(done);
    return PutOutcome::stored;
}

Result<PutOutcome> RecordTable::replace(const Record& record, const RecordAddress& address, UnixTime now,
                                        const AuthorShare& share) {
    const auto& event = record.event();
    auto found = find_address_.with(address.kind, address.author, address.identifier).step();
    if (!found) return forward_error(found);
    if (*found) {
        codec::Event current;
        current.created_at = UnixTime(seconds(find_address_.integer(1)));
        auto id = find_address_.fixed<Hash32>(2);
        const auto seq = find_address_.integer(0);
        find_address_.reset();
        if (!id) return forward_error(id);
        current.id = *id;
        if (comes_before(current, event)) return PutOutcome::older;
        if (auto done = remove(seq); !done) return forward_error(done);
    } else {
        find_address_.reset();
        if (auto room = make_room(record, &address, now, share); !room) return forward_error(room);
    }
    if (auto done = insert(record, &address); !done) return forward_error(done);
    return PutOutcome::stored;
}

Result<> RecordTable::make_room(const Record& record, const RecordAddress* address, UnixTime now,
                                const AuthorShare& share) {
    const auto& event = record.event();
    const auto time = now.time_since_epoch().count();
    // A record that expired is kept for its version number, but not at the expense of a living one.
    const bool named = address != nullptr && codec::classify_kind(event.kind) == codec::KindClass::addressable;
    if (named) {
        auto names = count_of(count_names_.with(event.pubkey, event.kind));
        if (!names) return forward_error(names);
        if (*names >= share.names) {
            auto dropped = drop_expired(expired_of_kind_.with(time, event.pubkey, event.kind));
            if (!dropped) return forward_error(dropped);
            if (!*dropped) {
                return fail(ErrorCode::limit_exceeded, "this author has too many names of this kind here",
                            "use few d tags, and replace records instead of adding");
            }
        }
    }
    auto count = count_of(count_author_.with(event.pubkey));
    if (!count) return forward_error(count);
    if (*count >= share.records) {
        auto dropped = drop_expired(expired_of_author_.with(time, event.pubkey));
        if (!dropped) return forward_error(dropped);
        if (!*dropped) {
            return fail(ErrorCode::limit_exceeded, "this author has too many records here",
                        "replace records instead of adding, or let some expire");
        }
    }
    return make_room_in_all(now);
}

Result<> RecordTable::make_room_in_all(UnixTime now) {
    if (stored_ < limits_.records) return {};
    auto dropped = drop_expired(expired_.with(now.time_since_epoch().count()));
    if (!dropped) return forward_error(dropped);
    if (*dropped) return {};
    return fail(ErrorCode::limit_exceeded, "the record store is full", "raise its limit or wait for expiries");
}

Result<bool> RecordTable::drop_expired(sys::Statement& oldest) {
    auto row = oldest.step();
    const auto seq = row && *row ? oldest.integer(0) : 0;
    oldest.reset();
    if (!row || !*row) return row;
    if (auto done = remove(seq); !done) return forward_error(done);
    return true;
}

Result<> RecordTable::remove(std::int64_t seq) {
    auto row = find_json_.with(seq).step();
    auto text = row && *row ? find_json_.text(0) : std::string();
    find_json_.reset();
    if (!row) return forward_error(row);
    auto record = Record::restore(std::move(text));
    if (!record) return forward_error(record);
    const auto& event = (*record)->event();
    for (const auto& [name, value] : entries_of(event)) {
        const auto created = event.created_at.time_since_epoch().count();
        if (auto done = delete_tag_.with(name, value, event.kind, created, event.id).run(); !done) return done;
    }
    if (auto done = delete_.with(seq).run(); !done) return done;
    --stored_;
    estimates_.on_change();
    return {};
}

Result<> RecordTable::insert(const Record& record, const RecordAddress* address) {
    const auto& event = record.event();
    insert_.with(event.id, event.pubkey, event.kind);
    if (address != nullptr) {
        insert_.bind(4, std::string_view(address->identifier));
    } else {
        insert_.bind_null(4);
    }
    insert_.bind(5, event.created_at.time_since_epoch().count());
    bind_expiry(insert_, 6, event);
    insert_.bind(7, std::string_view(record.json()));
    if (auto done = insert_.run(); !done) return done;
    ++stored_;
    estimates_.on_change();
    return insert_tags(event);
}

Result<> RecordTable::insert_tags(const codec::Event& event) {
    insert_tag_.with("", "", event.kind, event.created_at.time_since_epoch().count(), event.id);
    bind_expiry(insert_tag_, 6, event);
    for (const auto& [name, value] : entries_of(event)) {
        if (auto done = insert_tag_.bind(1, name).bind(2, value).run(); !done) return done;  // the rest is the same
    }
    return {};
}

sys::Statement& RecordTable::prepared(const std::string& sql) {
    if (const auto found = queries_.find(sql); found != queries_.end()) return found->second;
    if (queries_.size() >= kMaxPreparedQueries) queries_.clear();
    return queries_.emplace(sql, database_.prepare(sql)).first->second;
}

Result<> RecordTable::run_query(const SqlQuery& query, std::vector<Found>& found) {
    auto& statement = prepared(query.text);
    bind_values(statement, query.values);
    for (;;) {
        auto row = statement.step();
        if (!row) return forward_error(row, "record store");
        if (!*row) break;
        auto id = statement.fixed<Hash32>(0);
        if (!id) {
            statement.reset();
            return forward_error(id, "record store");
        }
        found.push_back({*id, UnixTime(seconds(statement.integer(1)))});
    }
    statement.reset();
    return {};
}

Result<std::vector<RecordTable::Found>> RecordTable::find_one(const codec::Filter& filter, std::size_t limit,
                                                              UnixTime now) {
    std::vector<Found> found;
    limit = std::min<std::size_t>(filter.limit.value_or(UINT32_MAX), limit);
    if (limit == 0) return found;
    auto query = build_query(filter, now, limit);
    if (!query) return forward_error(query);
    auto entries = estimates_.rarest(filter);
    if (!entries) return forward_error(entries);
    if (entries->empty()) {
        if (auto done = run_query(*query, found); !done) return forward_error(done);
    }
    for (const auto& entry : *entries) {
        if (auto done = run_query(build_tag_query(entry, filter, now, limit), found); !done) return forward_error(done);
        // A record with many of the values comes with each of them.
        if (found.size() > limit) arrange(found, limit);
    }
    arrange(found, limit);
    return found;
}

void RecordTable::arrange(std::vector<Found>& found, std::size_t limit) {
    // The order of comes_before.
    const auto before = [](const Found& a, const Found& b) {
        return a.created_at != b.created_at ? a.created_at > b.created_at : a.id < b.id;
    };
    std::sort(found.begin(), found.end(), before);
    const auto same = [](const Found& a, const Found& b) { return a.id == b.id; };
    found.erase(std::unique(found.begin(), found.end(), same), found.end());
    if (found.size() > limit) found.resize(limit);
}

Result<std::vector<Hash32>> RecordTable::find(const std::vector<codec::Filter>& filters, std::size_t limit,
                                              UnixTime now) {
    const sys::StepLimit limited(database_, limits_.search_steps);
    std::vector<Found> all;
    for (const auto& filter : filters) {
        auto found = find_one(filter, limit, now);
        if (!found) return forward_error(found);
        all.insert(all.end(), found->begin(), found->end());
    }
    arrange(all, limit);
    std::vector<Hash32> ids;
    ids.reserve(all.size());
    for (const auto& each : all) ids.push_back(each.id);
    return ids;
}

Result<std::vector<SyncItem>> RecordTable::items(const codec::Filter& filter, std::size_t limit, UnixTime now) {
    const sys::StepLimit limited(database_, limits_.comparison_steps);
    auto found = find_one(filter, limit, now);
    if (!found) return forward_error(found);
    std::vector<SyncItem> items;
    items.reserve(found->size());
    for (const auto& each : *found) {
        items.push_back({static_cast<std::uint64_t>(each.created_at.time_since_epoch().count()), each.id});
    }
    return items;
}

Result<RecordPage> RecordTable::load(const std::vector<Hash32>& ids, std::size_t max_bytes) {
    RecordPage page;
    std::size_t bytes = 0;
    for (const auto& id : ids) {
        auto row = load_.with(id).step();
        if (!row) return forward_error(row, "record store");
        auto text = *row ? load_.text(0) : std::string();
        load_.reset();
        bytes += text.size();
        if (bytes > max_bytes && !page.texts.empty()) break;
        ++page.taken;
        if (!text.empty()) page.texts.push_back(std::move(text));
    }
    return page;
}

Result<std::vector<SharedRecord>> RecordTable::query(const std::vector<codec::Filter>& filters,
                                                     const QueryLimits& limits, UnixTime now) {
    auto ids = find(filters, limits.records, now);
    if (!ids) return forward_error(ids);
    auto page = load(*ids, limits.bytes);
    if (!page) return forward_error(page);
    std::vector<SharedRecord> records;
    records.reserve(page->texts.size());
    for (auto& text : page->texts) {
        auto record = Record::restore(std::move(text));
        if (!record) return forward_error(record, "record store");
        records.push_back(std::move(*record));
    }
    return records;
}

Result<std::size_t> RecordTable::purge(UnixTime now) {
    auto transaction = sys::Transaction::begin(database_);
    if (!transaction) return forward_error(transaction, "record store");
    auto gone = database_.prepare(
        "SELECT seq FROM records WHERE expires_at IS NOT NULL AND expires_at<=?1 AND (identifier IS NULL OR "
        "expires_at<=?2)");
    const auto at = now.time_since_epoch().count();
    gone.with(at, at - kVersionMemory.count());
    std::vector<std::int64_t> rows;
    for (;;) {
        auto row = gone.step();
        if (!row) return forward_error(row, "record store");
        if (!*row) break;
        rows.push_back(gone.integer(0));
    }
    gone.reset();
    if (auto done = deletions_.forget(now); !done) return forward_error(done, "record store");
    const auto stored_before = stored_;
    for (const auto seq : rows) {
        if (auto done = remove(seq); !done) {
            stored_ = stored_before;
            return forward_error(done, "record store");
        }
    }
    if (auto done = transaction->commit(); !done) {
        stored_ = stored_before;
        return forward_error(done, "record store");
    }
    return rows.size();
}

}  // namespace myst::db
