// A thin, checked wrapper over SQLite: prepared statements, typed columns, transactions.
// One Database belongs to one thread at a time; callers on the control thread use it from the worker pool.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "myst/base/bytes.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace myst::sys {

/// How much a commit guarantees. `full`: on disk (fdatasync) when it returns. `normal`: consistent after power
/// loss, the last commits may be missing; for data that can be fetched again.
enum class Durability { normal, full };

struct DatabaseSettings {
    Durability durability = Durability::normal;
    /// The file is this connection's alone until it is closed. Moving the log into the file is then part of the commit
    /// that makes the log long: if it fails, so does the commit, although its content is on disk.
    bool exclusive = false;
    std::uint32_t cache_kib = 2'000;  ///< memory for pages of the file, SQLite's own default
    /// Pages in the log at which they are moved into the file, SQLite's own default; not for `exclusive`.
    std::uint32_t log_pages = 1'000;
    std::string vfs{};  ///< SQLite's name of what stands in for the file system; empty for the real one
};

class Statement;

/// A connection in WAL mode with foreign keys on and defensive settings. After a failed read, write or sync it is
/// closed without moving the log into the file: after that failure the page cache need not be what the disk holds.
/// Move-only.
class Database {
public:
    /// Opens or creates `path` (":memory:" for a private one). A file that is not a database, or one that is locked by
    /// another process, is an error that says so.
    [[nodiscard]] static Result<Database> open(const std::string& path, const DatabaseSettings& settings);
    [[nodiscard]] static Result<Database> open(const std::string& path, Durability durability) {
        return open(path, DatabaseSettings{.durability = durability});
    }

    Database(Database&&) noexcept;
    Database& operator=(Database&&) noexcept;
    ~Database();

    /// Runs one or several statements without parameters or results.
    [[nodiscard]] Result<> execute(const std::string& sql);
    /// Compiles a statement for repeated use. A mistake in `sql` is our bug and aborts.
    [[nodiscard]] Statement prepare(std::string_view sql);
    /// Brings the schema from version `PRAGMA user_version` to migrations.size(), in one transaction. A database from a
    /// newer program is refused.
    [[nodiscard]] Result<> migrate(const std::vector<std::string>& migrations);
    /// Whether closing leaves the log as it is; otherwise it is moved into the file.
    void leave_log_on_close(bool leave);
    /// Rows changed by the last statement.
    [[nodiscard]] std::int64_t changes() const;
    [[nodiscard]] std::int64_t last_insert_id() const;

private:
    friend class StepLimit;
    explicit Database(sqlite3* handle) : handle_(handle) {}
    sqlite3* handle_ = nullptr;
};

/// While it lives, the statements of a database together may take so many steps of SQLite's virtual machine; then they
/// fail with limit_exceeded. A row that is looked at costs about ten, a step some ten nanoseconds. Counted in
/// thousands. One at a time for a database, which must outlive it.
class StepLimit {
public:
    StepLimit(Database& database, std::uint64_t steps);
    ~StepLimit();
    StepLimit(const StepLimit&) = delete;
    StepLimit& operator=(const StepLimit&) = delete;

private:
    static int count(void* self);
    sqlite3* handle_;
    std::uint64_t left_;  ///< thousands of steps
};

/// A prepared statement. Bind with `bind`, then `step` until it returns false, then `reset` (done by `run`, too).
class Statement {
public:
    Statement(Statement&&) noexcept;
    Statement& operator=(Statement&&) noexcept;
    ~Statement();

    /// Positions begin at 1.
    Statement& bind(int position, std::int64_t value);
    Statement& bind(int position, std::string_view text);
    Statement& bind(int position, BytesView blob);
    Statement& bind_null(int position);
    /// Binds in order from position 1, resetting first: `s.with(1, "a", bytes)`.
    template <class... Values>
    Statement& with(const Values&... values) {
        reset();
        int position = 1;
        (bind_value(position++, values), ...);
        return *this;
    }

    /// True: a row is available. False: done.
    [[nodiscard]] Result<bool> step();
    /// Steps to the end and resets; for statements without rows.
    [[nodiscard]] Result<> run();
    void reset();

    /// Columns begin at 0.
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] Bytes blob(int column) const;
    [[nodiscard]] bool is_null(int column) const;
    /// A blob column of fixed size; any other length means the file is damaged.
    template <class Fixed>
    [[nodiscard]] Result<Fixed> fixed(int column) const {
        return Fixed::from(blob(column));
    }

private:
    friend class Database;
    Statement(sqlite3* database, sqlite3_stmt* handle) : database_(database), handle_(handle) {}
    template <class Value>
    void bind_value(int position, const Value& value) {
        if constexpr (std::is_same_v<Value, std::nullopt_t>) {
            bind_null(position);
        } else if constexpr (std::is_integral_v<Value>) {
            bind(position, static_cast<std::int64_t>(value));
        } else if constexpr (std::is_convertible_v<Value, std::string_view>) {
            bind(position, std::string_view(value));
        } else if constexpr (requires { value.view(); }) {
            bind(position, value.view());
        } else {
            bind(position, BytesView(value));
        }
    }
    sqlite3* database_ = nullptr;
    sqlite3_stmt* handle_ = nullptr;
};

/// BEGIN IMMEDIATE … COMMIT; rolls back when destroyed without a successful `commit`.
class Transaction {
public:
    [[nodiscard]] static Result<Transaction> begin(Database& database);
    Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    [[nodiscard]] Result<> commit();

private:
    explicit Transaction(Database& database) : database_(&database) {}
    Database* database_;
};

}  // namespace myst::sys
