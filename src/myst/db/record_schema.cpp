#include "myst/db/record_schema.hpp"

#include "myst/db/record_deletion.hpp"

namespace myst::db {

// `identifier` is null for kinds that are never replaced; a unique index leaves nulls alone. `record_tags` holds all
// that a search by tags looks at, in the order of answers.
const std::vector<std::string>& record_migrations() {
    static const std::vector<std::string> migrations = {
        R"(
CREATE TABLE records(
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    author BLOB NOT NULL,
    kind INTEGER NOT NULL,
    identifier TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    json TEXT NOT NULL);
CREATE UNIQUE INDEX records_by_address ON records(kind, author, identifier) WHERE identifier IS NOT NULL;
CREATE INDEX records_by_time ON records(created_at DESC, id);
CREATE INDEX records_by_kind ON records(kind, created_at DESC, id);
CREATE INDEX records_by_author ON records(author, kind, created_at DESC, id);
CREATE INDEX records_by_expiry ON records(expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE record_tags(
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    kind INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    id BLOB NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY(name, value, kind, created_at DESC, id)) WITHOUT ROWID;)",
        kDeletionSchema,
        // Ids and keys are random, so each record changes a page of its own in every index of them: there is one of
        // each, and it holds 8 bytes, of which 2^32 are tried before two are the same; the row decides. What was sought
        // by kind has an entry without a name in `record_tags`.
        R"(
DROP INDEX records_by_address;
DROP INDEX records_by_time;
DROP INDEX records_by_kind;
DROP INDEX records_by_author;
DROP INDEX records_by_expiry;
ALTER TABLE records RENAME TO old_records;
CREATE TABLE records(
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL,
    author BLOB NOT NULL,
    kind INTEGER NOT NULL,
    identifier TEXT,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    json TEXT NOT NULL);
INSERT INTO records SELECT * FROM old_records;
DROP TABLE old_records;
CREATE INDEX records_by_id ON records(substr(id,1,8));
CREATE INDEX records_by_author ON records(substr(author,1,8), kind);
CREATE INDEX records_by_time ON records(created_at DESC, id);
CREATE INDEX records_by_expiry ON records(expires_at) WHERE expires_at IS NOT NULL;
INSERT INTO record_tags SELECT '', '', kind, created_at, id, expires_at FROM records;)",
        kDeletionEndSchema};
    return migrations;
}

}  // namespace myst::db
