#include "myst/db/sqlite_record_store.hpp"

#include "myst/runtime/group_commit.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst::db {
namespace {

struct Put {
    SharedRecord record;
    UnixTime now{};
    Standing author{};
};
using Puts = GroupCommit<Put, PutOutcome>;

GroupCommitSettings commit_settings(const SqliteRecordStore::Settings& settings) {
    // Records can be fetched again from peers, so a failed commit does not end the store.
    return {settings.max_waiting, settings.max_batch, AfterFailure::go_on};
}

}  // namespace

class SqliteRecordStore::Impl {
public:
    Impl(RecordTable opened, const Settings& settings)
        : table(std::move(opened)),
          puts([this](std::vector<Put> batch) { return write(std::move(batch)); }, commit_settings(settings)) {}

    RecordTable table;  ///< used on `thread` only
    Puts puts;
    WorkerPool thread{1};  ///< last member: joined before the table goes

private:
    Task<Result<std::vector<Result<PutOutcome>>>> write(std::vector<Put> batch) {
        const UnixTime now = batch.front().now;
        std::vector<SharedRecord> records;
        std::vector<Standing> authors;
        records.reserve(batch.size());
        authors.reserve(batch.size());
        for (auto& put : batch) {
            records.push_back(std::move(put.record));
            authors.push_back(put.author);
        }
        auto work = [this, records = std::move(records), authors = std::move(authors), now] {
            return table.put(records, now, authors);
        };
        auto job = thread.run(std::move(work));
        co_return co_await std::move(job);
    }
};

SqliteRecordStore::SqliteRecordStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SqliteRecordStore::~SqliteRecordStore() = default;

Result<std::unique_ptr<SqliteRecordStore>> SqliteRecordStore::open(Settings settings) {
    auto table = RecordTable::open(settings.path, settings.limits);
    if (!table) return forward_error(table);
    auto impl = std::make_unique<Impl>(std::move(*table), settings);
    return std::unique_ptr<SqliteRecordStore>(new SqliteRecordStore(std::move(impl)));
}

Task<Result<PutOutcome>> SqliteRecordStore::put(SharedRecord record, UnixTime now, Standing author) {
    return impl_->puts.submit(Put{std::move(record), now, author});
}

Task<Result<std::vector<SharedRecord>>> SqliteRecordStore::query(std::vector<codec::Filter> filters, QueryLimits limits,
                                                                 UnixTime now) {
    auto work = [impl = impl_.get(), filters = std::move(filters), limits, now] {
        return impl->table.query(filters, limits, now);
    };
    auto job = impl_->thread.run(std::move(work));
    co_return co_await std::move(job);
}

Task<Result<std::vector<Hash32>>> SqliteRecordStore::find(std::vector<codec::Filter> filters, std::size_t limit,
                                                          UnixTime now) {
    auto work = [impl = impl_.get(), filters = std::move(filters), limit, now] {
        return impl->table.find(filters, limit, now);
    };
    auto job = impl_->thread.run(std::move(work));
    co_return co_await std::move(job);
}

Task<Result<std::vector<SyncItem>>> SqliteRecordStore::items(codec::Filter filter, std::size_t limit, UnixTime now) {
    auto work = [impl = impl_.get(), filter = std::move(filter), limit, now] {
        return impl->table.items(filter, limit, now);
    };
    auto job = impl_->thread.run(std::move(work));
    co_return co_await std::move(job);
}

Task<Result<RecordPage>> SqliteRecordStore::load(std::vector<Hash32> ids, std::size_t max_bytes) {
    auto work = [impl = impl_.get(), ids = std::move(ids), max_bytes] { return impl->table.load(ids, max_bytes); };
    auto job = impl_->thread.run(std::move(work));
    co_return co_await std::move(job);
}

Task<Result<std::size_t>> SqliteRecordStore::purge(UnixTime now) {
    auto work = [impl = impl_.get(), now] { return impl->table.purge(now); };
    auto job = impl_->thread.run(std::move(work));
    co_return co_await std::move(job);
}

}  // namespace myst::db
