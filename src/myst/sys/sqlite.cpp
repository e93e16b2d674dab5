#include "myst/sys/sqlite.hpp"

#include <sqlite3.h>

#include <utility>

#include "myst/base/check.hpp"

namespace myst::sys {
namespace {

constexpr int kBusyTimeoutMs = 5000;
constexpr int kLongLog = 1000;  ///< pages in the log at which they are moved into the file, SQLite's own default

tl::unexpected<Error> sqlite_failure(sqlite3* handle, int code, std::string_view what) {
    std::string message = std::string(what) + ": " + (handle ? sqlite3_errmsg(handle) : sqlite3_errstr(code));
    const int kind = code & 0xff;
    if (kind == SQLITE_IOERR || kind == SQLITE_FULL) {
        sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    }
    switch (kind) {
        case SQLITE_NOTADB:
        case SQLITE_CORRUPT: return fail(ErrorCode::invalid_data, std::move(message), "restore the file from a backup");
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return fail(ErrorCode::unavailable, std::move(message), "is another mystd running on this data folder?");
        case SQLITE_FULL: return fail(ErrorCode::io, std::move(message), "free some disk space");
        case SQLITE_INTERRUPT:
            return fail(ErrorCode::limit_exceeded, "it takes too much work to find", "ask for something rarer");
        case SQLITE_CONSTRAINT: return fail(ErrorCode::already_exists, std::move(message));
        default: return fail(ErrorCode::io, std::move(message));
    }
}

/// After a commit. SQLite's own hook does the same and ignores the outcome.
int move_long_log(void*, sqlite3* handle, const char* schema, int pages) {
    if (pages < kLongLog) return SQLITE_OK;
    return sqlite3_wal_checkpoint_v2(handle, schema, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
}

constexpr int kStepsAtOnce = 1'000;

/// Counting its memory costs SQLite a lock for each piece of it, and nobody asks for the count. Refused once SQLite is
/// in use, which does no harm.
void do_not_count_memory() {
    static const int done = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    std::ignore = done;
}

}  // namespace

Result<Database> Database::open(const std::string& path, const DatabaseSettings& settings) {
    do_not_count_memory();
    sqlite3* handle = nullptr;
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    const int code =
        sqlite3_open_v2(path.c_str(), &handle, flags, settings.vfs.empty() ? nullptr : settings.vfs.c_str());
    Database database(handle);
    if (code != SQLITE_OK) return sqlite_failure(handle, code, "opening " + path);
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, kBusyTimeoutMs);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    // Exclusive first: the log's index is then in memory and not in a file of its own. EXTRA is FULL and, when a new
    // file is switched to a log, the removal of the journal before it is on disk, too.
    const std::string pragmas =
        std::string(settings.exclusive ? "PRAGMA locking_mode=EXCLUSIVE;" : "") +
        "PRAGMA synchronous=" + (settings.durability == Durability::full ? "EXTRA;" : "NORMAL;") +
        "PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-" + std::to_string(settings.cache_kib) +
        "; PRAGMA wal_autocheckpoint=" + std::to_string(settings.log_pages) + ";" +
        (settings.exclusive ? "BEGIN EXCLUSIVE; COMMIT" : "");
    if (auto done = database.execute(pragmas); !done) return forward_error(done, "opening " + path);
    if (settings.exclusive) sqlite3_wal_hook(handle, move_long_log, nullptr);
    return database;
}

Database::Database(Database&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}

Database& Database::operator=(Database&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
}

Database::~Database() {
    if (handle_) sqlite3_close_v2(handle_);
}

Result<> Database::execute(const std::string& sql) {
    const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return sqlite_failure(handle_, code, "database statement");
    return {};
}

Statement Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                        &statement, nullptr);
    CHECK(code == SQLITE_OK && statement != nullptr);
    return Statement(handle_, statement);
}

Result<> Database::migrate(const std::vector<std::string>& migrations) {
    // The version is read inside the transaction: of two processes that open a new file, one waits for the other.
    auto transaction = Transaction::begin(*this);
    if (!transaction) return forward_error(transaction);
    std::int64_t version = 0;
    {
        auto query = prepare("PRAGMA user_version");
        auto row = query.step();
        if (!row) return forward_error(row);
        version = query.integer(0);
    }
    if (version > static_cast<std::int64_t>(migrations.size())) {
        return fail(ErrorCode::failed_precondition, "the database was written by a newer version of this program",
                    "install that version or a later one");
    }
    if (version == static_cast<std::int64_t>(migrations.size())) return transaction->commit();  // nothing is written
    for (auto next = static_cast<std::size_t>(version); next < migrations.size(); ++next) {
        if (auto done = execute(migrations[next]); !done) return forward_error(done, "schema migration");
    }
    const auto bump = "PRAGMA user_version=" + std::to_string(migrations.size());
    if (auto done = execute(bump); !done) return forward_error(done);
    return transaction->commit();
}

void Database::leave_log_on_close(bool leave) {
    sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, leave ? 1 : 0, nullptr);
}

std::int64_t Database::changes() const {
    return sqlite3_changes64(handle_);
}

std::int64_t Database::last_insert_id() const {
    return sqlite3_last_insert_rowid(handle_);
}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), handle_(std::exchange(other.handle_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
    std::swap(database_, other.database_);
    std::swap(handle_, other.handle_);
    return *this;
}

Statement::~Statement() {
    sqlite3_finalize(handle_);
}

Statement& Statement::bind(int position, std::int64_t value) {
    CHECK(sqlite3_bind_int64(handle_, position, value) == SQLITE_OK);
    return *this;
}

Statement& Statement::bind(int position, std::string_view text) {
    CHECK(sqlite3_bind_text64(handle_, position, text.data() ? text.data() : "", text.size(), SQLITE_TRANSIENT,
                              SQLITE_UTF8) == SQLITE_OK);
    return *this;
}

Statement& Statement::bind(int position, BytesView blob) {
    const void* data = blob.empty() ? static_cast<const void*>("") : blob.data();
    CHECK(sqlite3_bind_blob64(handle_, position, data, blob.size(), SQLITE_TRANSIENT) == SQLITE_OK);
    return *this;
}

Statement& Statement::bind_null(int position) {
    CHECK(sqlite3_bind_null(handle_, position) == SQLITE_OK);
    return *this;
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(handle_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    auto error = sqlite_failure(database_, code, "database");
    sqlite3_reset(handle_);
    return error;
}

Result<> Statement::run() {
    for (;;) {
        auto row = step();
        if (!row) return forward_error(row);
        if (!*row) break;
    }
    reset();
    return {};
}

void Statement::reset() {
    sqlite3_reset(handle_);
}

std::int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(handle_, column);
}

std::string Statement::text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_, column));
    return text ? std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(handle_, column))) : std::string();
}

Bytes Statement::blob(int column) const {
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(handle_, column));
    return data ? Bytes(data, data + sqlite3_column_bytes(handle_, column)) : Bytes();
}

bool Statement::is_null(int column) const {
    return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

StepLimit::StepLimit(Database& database, std::uint64_t steps) : handle_(database.handle_), left_(steps / kStepsAtOnce) {
    sqlite3_progress_handler(handle_, kStepsAtOnce, &StepLimit::count, this);
}

StepLimit::~StepLimit() {
    sqlite3_progress_handler(handle_, 0, nullptr, nullptr);
}

int StepLimit::count(void* self) {
    auto& left = static_cast<StepLimit*>(self)->left_;
    if (left == 0) return 1;
    --left;
    return 0;
}

Result<Transaction> Transaction::begin(Database& database) {
    if (auto begun = database.execute("BEGIN IMMEDIATE"); !begun) return forward_error(begun);
    return Transaction(database);
}

Transaction::~Transaction() {
    if (database_) std::ignore = database_->execute("ROLLBACK");
}

Result<> Transaction::commit() {
    auto done = database_->execute("COMMIT");
    if (done) database_ = nullptr;
    return done;
}

}  // namespace myst::sys
