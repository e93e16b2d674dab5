#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "myst/sys/sqlite.hpp"
#include "myst/sys/test_support/memory_disk.hpp"

namespace myst::sys {
namespace {

Database memory_database() {
    auto database = Database::open(":memory:", Durability::normal);
    EXPECT_TRUE(database);
    return std::move(*database);
}

TEST(Sqlite, BindsAndReadsEveryType) {
    auto database = memory_database();
    ASSERT_TRUE(database.execute("CREATE TABLE t(a INTEGER, b TEXT, c BLOB, d TEXT)"));
    auto insert = database.prepare("INSERT INTO t VALUES(?,?,?,?)");
    ASSERT_TRUE(insert.with(7, "text", Bytes{1, 2}, std::nullopt).run());
    auto select = database.prepare("SELECT a,b,c,d FROM t");
    ASSERT_TRUE(*select.step());
    EXPECT_EQ(select.integer(0), 7);
    EXPECT_EQ(select.text(1), "text");
    EXPECT_EQ(select.blob(2), (Bytes{1, 2}));
    EXPECT_TRUE(select.is_null(3));
    EXPECT_FALSE(select.fixed<Hash32>(2));
    EXPECT_FALSE(*select.step());
}

TEST(Sqlite, WorkBeyondALimitIsRefusedAndTheNextStatementRuns) {
    auto database = memory_database();
    auto count = database.prepare(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<?) SELECT count(*) FROM n");
    {
        const StepLimit limited(database, 50'000);
        EXPECT_TRUE(count.with(100).step());
        const auto refused = count.with(100'000).step();
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, ErrorCode::limit_exceeded);
        EXPECT_FALSE(count.with(100'000).step()) << "the limit is for all statements together";
    }
    ASSERT_TRUE(*count.with(100'000).step());
    EXPECT_EQ(count.integer(0), 100'000);
}

TEST(Sqlite, ATransactionRollsBackUnlessCommitted) {
    auto database = memory_database();
    ASSERT_TRUE(database.execute("CREATE TABLE t(a)"));
    {
        auto transaction = Transaction::begin(database);
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(database.execute("INSERT INTO t VALUES(1)"));
    }
    auto count = database.prepare("SELECT count(*) FROM t");
    ASSERT_TRUE(*count.step());
    EXPECT_EQ(count.integer(0), 0);
}

TEST(Sqlite, MigratesOnceAndRefusesANewerSchema) {
    auto database = memory_database();
    ASSERT_TRUE(database.migrate({"CREATE TABLE a(x)"}));
    ASSERT_TRUE(database.migrate({"CREATE TABLE a(x)", "CREATE TABLE b(x)"}));
    EXPECT_FALSE(database.migrate({"CREATE TABLE a(x)"}));
}

TEST(Sqlite, ADamagedFileIsNamed) {
    const auto path = std::filesystem::temp_directory_path() / "myst_sqlite_test_damaged.db";
    std::ofstream(path) << std::string(4096, 'x');
    const auto database = Database::open(path.string(), Durability::normal);
    std::filesystem::remove(path);
    ASSERT_FALSE(database);
    EXPECT_EQ(database.error().code, ErrorCode::invalid_data);
    EXPECT_NE(database.error().message.find(path.string()), std::string::npos);
}

/// Writes so much into a database of its own that the commit also moves the log into the file. Returns how many calls
/// of the disk that took, or none if it failed.
std::optional<std::size_t> write_much(testing::MemoryDisk& disk) {
    auto database = Database::open("much.db", {.durability = Durability::full, .exclusive = true, .vfs = disk.name()});
    if (!database || !database->execute("CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(5000000))")) return {};
    return disk.calls();
}

TEST(Sqlite, AnExclusiveFileReportsAFailedMoveOfItsLogAndIsNotSyncedAgain) {
    testing::MemoryDisk healthy;
    const auto calls = write_much(healthy);
    ASSERT_TRUE(calls);
    std::size_t failed_syncs = 0;
    for (auto call = *calls - 3; call < *calls; ++call) {  // the end of the move
        testing::MemoryDisk disk;
        disk.fail_once(call, testing::DiskFault::io_error);
        EXPECT_FALSE(write_much(disk)) << "call " << call;
        const auto failure = disk.failure();
        ASSERT_TRUE(failure);
        if (!failure->sync || failure->file != "much.db") continue;
        ++failed_syncs;
        const auto log = disk.log();
        for (const auto& event : testing::DiskLog(log).subspan(failure->events)) {
            EXPECT_FALSE(event.kind == testing::DiskEvent::Kind::sync && event.file == failure->file);
        }
    }
    EXPECT_EQ(failed_syncs, 1U);
}

}  // namespace
}  // namespace myst::sys
