#include "myst/db/sqlite_record_store.hpp"

#include "myst/db/db_fixtures.hpp"

namespace myst::db::test {
namespace {

const UnixTime kNow = at(1'700'000'000);

Task<> put_and_count(SqliteRecordStore& store, SharedRecord record, std::map<PutOutcome, int>& outcomes) {
    auto outcome = co_await store.put(std::move(record), kNow);
    EXPECT_TRUE(outcome);
    if (outcome) ++outcomes[*outcome];
}

Task<> put_many(SqliteRecordStore& store, asio::any_io_executor executor) {
    std::map<PutOutcome, int> outcomes;
    TaskGroup group(executor);
    constexpr int kRecords = 300;
    for (int i = 0; i < kRecords; ++i) {
        const auto record = make_record(key_of(1), 1, kNow + seconds(i / 2));
        group.spawn("put", put_and_count(store, record, outcomes));
    }
    co_await group.join();
    EXPECT_EQ(outcomes[PutOutcome::stored], kRecords / 2);
    EXPECT_EQ(outcomes[PutOutcome::duplicate], kRecords / 2);
    std::vector<codec::Filter> filters(1);
    auto found = co_await store.query(filters, QueryLimits{}, kNow);
    EXPECT_TRUE(found);
    if (found) {
        EXPECT_EQ(found->size(), static_cast<std::size_t>(kRecords / 2));
    }
}

TEST(SqliteRecordStore, ConcurrentPutsAllGetTheirOwnOutcome) {
    Loop loop;
    SqliteRecordStore::Settings settings;
    settings.max_batch = 7;
    auto store = SqliteRecordStore::open(settings);
    ASSERT_TRUE(store);
    loop.run(put_many(**store, loop.executor()));
}

Task<> overfill(SqliteRecordStore& store) {
    auto refused = co_await store.put(make_record(key_of(1), 1, kNow), kNow);
    EXPECT_FALSE(refused);
    if (!refused) {
        EXPECT_EQ(refused.error().code, ErrorCode::limit_exceeded);
    }
}

TEST(SqliteRecordStore, AFullQueueRefuses) {
    Loop loop;
    SqliteRecordStore::Settings settings;
    settings.max_waiting = 0;
    auto store = SqliteRecordStore::open(settings);
    ASSERT_TRUE(store);
    loop.run(overfill(**store));
}

TEST(SqliteRecordStore, AnUnusablePathIsNamed) {
    SqliteRecordStore::Settings settings;
    settings.path = "/nonexistent/folder/records.db";
    const auto store = SqliteRecordStore::open(settings);
    ASSERT_FALSE(store);
    EXPECT_NE(store.error().message.find(settings.path), std::string::npos);
}

}  // namespace
}  // namespace myst::db::test
