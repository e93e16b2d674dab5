#include "myst/chain/outbox_store.hpp"

#include "myst/base/failpoint.hpp"

namespace myst::chain {
namespace {

const std::vector<std::string>& schema() {
    static const std::vector<std::string> kSchema = {R"(
        CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE outbox(
            id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, purpose TEXT NOT NULL,
            target BLOB NOT NULL, data BLOB NOT NULL, state INTEGER NOT NULL DEFAULT 0,
            nonce INTEGER UNIQUE, raw BLOB, hash BLOB,
            block_number INTEGER, block_hash BLOB, block_time INTEGER, succeeded INTEGER, gas_used INTEGER,
            settled INTEGER NOT NULL DEFAULT 0,
            error_code INTEGER, error_message TEXT, error_cure TEXT,
            CHECK(state <> 1 OR (nonce IS NOT NULL AND raw IS NOT NULL AND hash IS NOT NULL)),
            CHECK(state <> 2 OR (hash IS NOT NULL AND block_hash IS NOT NULL)));
        CREATE INDEX outbox_unfinished ON outbox(id) WHERE state < 2 OR (state = 2 AND settled = 0);
    )",
                                                     // Several signed versions for a nonce, none in the row itself.
                                                     R"(
        CREATE TABLE versions(
            id INTEGER PRIMARY KEY, intent INTEGER NOT NULL, hash BLOB NOT NULL UNIQUE, raw BLOB NOT NULL,
            at INTEGER NOT NULL);
        INSERT INTO versions(intent,hash,raw,at) SELECT id,hash,raw,0 FROM outbox WHERE raw IS NOT NULL ORDER BY id;
        CREATE INDEX versions_intent ON versions(intent,id);
        CREATE INDEX versions_at ON versions(at);
        CREATE TABLE intents(
            id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, purpose TEXT NOT NULL,
            target BLOB NOT NULL, data BLOB NOT NULL, state INTEGER NOT NULL DEFAULT 0, nonce INTEGER UNIQUE,
            hash BLOB, block_number INTEGER, block_hash BLOB, block_time INTEGER, succeeded INTEGER, gas_used INTEGER,
            settled INTEGER NOT NULL DEFAULT 0,
            error_code INTEGER, error_message TEXT, error_cure TEXT,
            CHECK(state <> 1 OR nonce IS NOT NULL),
            CHECK(state <> 2 OR (hash IS NOT NULL AND block_hash IS NOT NULL)));
        INSERT INTO intents SELECT id,key,purpose,target,data,state,nonce,hash,block_number,block_hash,block_time,
            succeeded,gas_used,settled,error_code,error_message,error_cure FROM outbox;
        DROP TABLE outbox;
        CREATE INDEX intents_unfinished ON intents(id) WHERE state < 2 OR (state = 2 AND settled = 0);
    )"};
    return kSchema;
}

constexpr std::string_view kColumns =
    "SELECT id,key,purpose,target,data,state,nonce,hash,block_number,block_hash,block_time,succeeded,gas_used,"
    "settled,error_code,error_message,error_cure FROM intents ";

tl::unexpected<Error> damaged() {
    return fail(ErrorCode::invalid_data, "the outbox file is damaged", "restore it from a backup");
}

/// What became of the intent: block, or refusal.
Result<> read_result(const sys::Statement& row, OutboxEntry& entry) {
    if (entry.state == TxState::mined) {
        auto hash = row.fixed<Hash32>(7);
        auto block = row.fixed<Hash32>(9);
        if (!hash || !block) return damaged();
        entry.outcome.hash = *hash;
        entry.outcome.block = {static_cast<std::uint64_t>(row.integer(8)), *block, UnixTime(seconds(row.integer(10)))};
        entry.outcome.succeeded = row.integer(11) != 0;
        entry.outcome.gas_used = static_cast<std::uint64_t>(row.integer(12));
        entry.settled = row.integer(13) != 0;
    }
    if (entry.state == TxState::closed) {
        entry.refusal = Error{static_cast<ErrorCode>(row.integer(14)), row.text(15), row.text(16)};
    }
    return {};
}

}  // namespace

Result<std::unique_ptr<OutboxStore>> OutboxStore::open(const std::string& path) {
    auto database = sys::Database::open(path, sys::Durability::full);
    if (!database) return forward_error(database);
    if (auto ready = database->migrate(schema()); !ready) return forward_error(ready, "opening " + path);
    return std::unique_ptr<OutboxStore>(new OutboxStore(std::move(*database)));
}

Result<> OutboxStore::claim(std::uint64_t chain_id, const Address& sender) {
    const std::lock_guard lock(mutex_);
    const auto wanted = std::to_string(chain_id) + ":" + sender.hex0x();
    auto insert = database_.prepare("INSERT OR IGNORE INTO meta(name,value) VALUES('account',?)");
    if (auto done = insert.with(as_bytes(wanted)).run(); !done) return done;
    auto query = database_.prepare("SELECT value FROM meta WHERE name='account'");
    auto found = query.step();
    if (!found) return forward_error(found);
    if (*found && as_text(query.blob(0)) == wanted) return {};
    return fail(ErrorCode::failed_precondition, "the outbox belongs to another chain or account",
                "use the wallet it was made with, or another data folder");
}

Result<OutboxEntry> OutboxStore::add(const ports::TxIntent& intent, std::size_t max_open) {
    const std::lock_guard lock(mutex_);
    auto present = find_locked(intent.key);
    if (present) {
        if (present->intent.to == intent.to && present->intent.data == intent.data) return present;
        return fail(ErrorCode::already_exists, "intent " + intent.key + " was used for another transaction",
                    "use a key of its own for each thing to do");
    }
    if (present.error().code != ErrorCode::not_found) return present;
    auto count = database_.prepare("SELECT count(*) FROM intents WHERE state<2");
    auto counted = count.step();
    if (!counted) return forward_error(counted);
    if (static_cast<std::size_t>(count.integer(0)) >= max_open) {
        return fail(ErrorCode::limit_exceeded, "too many transactions are waiting", "wait until some are mined");
    }
    count.reset();
    auto insert = database_.prepare("INSERT INTO intents(key,purpose,target,data) VALUES(?,?,?,?)");
    auto stored = insert.with(intent.key, intent.purpose, intent.to, intent.data).run();
    if (!stored) return forward_error(stored, "outbox");
    return find_locked(intent.key);
}

Result<OutboxEntry> OutboxStore::find(const std::string& key) {
    const std::lock_guard lock(mutex_);
    return find_locked(key);
}

Result<std::optional<OutboxEntry>> OutboxStore::find_open(const std::string& kind) {
    const std::lock_guard lock(mutex_);
    const auto prefix = kind + ":";
    auto query =
        database_.prepare(std::string(kColumns) + "WHERE state<2 AND substr(key,1,length(?1))=?1 ORDER BY id LIMIT 1");
    query.with(prefix);
    auto found = query.step();
    if (!found) return forward_error(found, "outbox");
    if (!*found) return std::nullopt;
    auto entry = read_entry(query);
    if (!entry) return forward_error(entry);
    return std::move(*entry);
}

Result<OutboxEntry> OutboxStore::read_entry(const sys::Statement& row) {
    OutboxEntry entry;
    entry.id = row.integer(0);
    auto target = row.fixed<Address>(3);
    const auto state = row.integer(5);
    if (!target || state < 0 || state > 3) return damaged();
    entry.intent = {row.text(1), row.text(2), *target, row.blob(4)};
    entry.state = static_cast<TxState>(state);
    if (auto read = read_result(row, entry); !read) return forward_error(read);
    if (row.is_null(6)) return entry;
    entry.nonce = static_cast<std::uint64_t>(row.integer(6));
    auto query = database_.prepare("SELECT raw,hash FROM versions WHERE intent=? ORDER BY id");
    query.with(entry.id);
    for (;;) {
        auto more = query.step();
        if (!more) return forward_error(more, "outbox");
        if (!*more) break;
        auto hash = query.fixed<Hash32>(1);
        if (!hash) return damaged();
        entry.versions.push_back({query.blob(0), *hash});
    }
    if (entry.versions.empty()) return damaged();
    return entry;
}

Result<OutboxEntry> OutboxStore::find_locked(const std::string& key) {
    auto query = database_.prepare(std::string(kColumns) + "WHERE key=?");
    query.with(key);
    auto found = query.step();
    if (!found) return forward_error(found, "outbox");
    if (!*found) return fail(ErrorCode::not_found, "there is no intent " + key);
    return read_entry(query);
}

Result<std::vector<OutboxEntry>> OutboxStore::unfinished() {
    const std::lock_guard lock(mutex_);
    auto query = database_.prepare(std::string(kColumns) + "WHERE state<2 OR (state=2 AND settled=0) ORDER BY id");
    std::vector<OutboxEntry> entries;
    for (;;) {
        auto more = query.step();
        if (!more) return forward_error(more, "outbox");
        if (!*more) return entries;
        auto entry = read_entry(query);
        if (!entry) return forward_error(entry);
        entries.push_back(std::move(*entry));
    }
}

Result<std::uint64_t> OutboxStore::next_nonce() {
    const std::lock_guard lock(mutex_);
    auto query = database_.prepare("SELECT max(nonce) FROM intents");
    auto found = query.step();
    if (!found) return forward_error(found, "outbox");
    if (query.is_null(0)) return 0;
    return static_cast<std::uint64_t>(query.integer(0)) + 1;
}

Result<> OutboxStore::change(sys::Statement& update) {
    if (auto done = update.run(); !done) return forward_error(done, "outbox");
    if (database_.changes() != 1) {
        return fail(ErrorCode::failed_precondition, "the intent is not in a state in which this is possible");
    }
    return {};
}

Result<> OutboxStore::insert_version(std::int64_t id, const codec::SignedTransaction& version, UnixTime now) {
    auto insert = database_.prepare("INSERT INTO versions(intent,hash,raw,at) VALUES(?,?,?,?)");
    return insert.with(id, version.hash, version.raw, now.time_since_epoch().count()).run();
}

Result<> OutboxStore::set_signed(std::int64_t id, std::uint64_t nonce, const codec::SignedTransaction& version,
                                 UnixTime now) {
    const std::lock_guard lock(mutex_);
    auto transaction = sys::Transaction::begin(database_);
    if (!transaction) return forward_error(transaction, "outbox");
    auto update = database_.prepare("UPDATE intents SET state=1,nonce=? WHERE id=? AND state=0");
    if (auto changed = change(update.with(nonce, id)); !changed) return changed;
    failpoint("outbox: nonce written");
    if (auto stored = insert_version(id, version, now); !stored) return forward_error(stored, "outbox");
    failpoint("outbox: version written");
    return transaction->commit();
}

Result<> OutboxStore::add_version(std::int64_t id, const codec::SignedTransaction& version, UnixTime now) {
    const std::lock_guard lock(mutex_);
    auto transaction = sys::Transaction::begin(database_);
    if (!transaction) return forward_error(transaction, "outbox");
    auto check = database_.prepare("UPDATE intents SET state=1 WHERE id=? AND state=1");
    if (auto is_signed = change(check.with(id)); !is_signed) return is_signed;
    if (auto stored = insert_version(id, version, now); !stored) return forward_error(stored, "outbox");
    failpoint("outbox: further version written");
    return transaction->commit();
}

Result<std::vector<Bytes>> OutboxStore::signed_since(UnixTime from, std::int64_t except) {
    const std::lock_guard lock(mutex_);
    auto query = database_.prepare(
        "SELECT raw FROM versions WHERE id IN (SELECT max(id) FROM versions WHERE at>=? AND intent<>? GROUP BY "
        "intent)");
    query.with(from.time_since_epoch().count(), except);
    std::vector<Bytes> versions;
    for (;;) {
        auto more = query.step();
        if (!more) return forward_error(more, "outbox");
        if (!*more) return versions;
        versions.push_back(query.blob(0));
    }
}

Result<> OutboxStore::set_mined(std::int64_t id, const ports::TxOutcome& outcome, bool settled) {
    const std::lock_guard lock(mutex_);
    auto update = database_.prepare(
        "UPDATE intents SET state=2,hash=?1,block_number=?2,block_hash=?3,block_time=?4,succeeded=?5,gas_used=?6,"
        "settled=?7 WHERE id=?8 AND state IN (1,2) AND EXISTS(SELECT 1 FROM versions WHERE hash=?1 AND intent=?8)");
    const auto time = outcome.block.time.time_since_epoch().count();
    update.with(outcome.hash, outcome.block.number, outcome.block.hash, time, outcome.succeeded, outcome.gas_used,
                settled, id);
    return change(update);
}

Result<> OutboxStore::set_unmined(std::int64_t id) {
    const std::lock_guard lock(mutex_);
    auto update = database_.prepare("UPDATE intents SET state=1 WHERE id=? AND state=2 AND settled=0");
    return change(update.with(id));
}

Result<> OutboxStore::set_closed(std::int64_t id, const Error& refusal) {
    const std::lock_guard lock(mutex_);
    auto update = database_.prepare(
        "UPDATE intents SET state=3,error_code=?,error_message=?,error_cure=? WHERE id=? AND state IN (0,1)");
    update.with(static_cast<std::int64_t>(refusal.code), refusal.message, refusal.cure, id);
    return change(update);
}

Result<> OutboxStore::set_given_up(std::int64_t id, const Error& refusal) {
    const std::lock_guard lock(mutex_);
    auto update = database_.prepare(
        "UPDATE intents SET state=3,error_code=?,error_message=?,error_cure=? WHERE id=? AND state=0");
    update.with(static_cast<std::int64_t>(refusal.code), refusal.message, refusal.cure, id);
    return change(update);
}

}  // namespace myst::chain
