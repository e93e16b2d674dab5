// The record store on SQLite, with a thread of its own.
#pragma once

#include <memory>
#include <string>

#include "myst/db/record_store.hpp"
#include "myst/db/record_table.hpp"

namespace myst::db {

/// Puts that wait at the same time go into one transaction, so a burst costs one commit instead of hundreds.
/// What `put` reports as stored is on disk.
class SqliteRecordStore final : public RecordStore {
public:
    struct Settings {
        std::string path = ":memory:";
        StoreLimits limits{};
        std::size_t max_batch = 1'024;     ///< records in one transaction
        std::size_t max_waiting = 10'000;  ///< puts in the queue; beyond it `put` fails with limit_exceeded
    };
    [[nodiscard]] static Result<std::unique_ptr<SqliteRecordStore>> open(Settings settings);
    /// Finishes what was queued. No task may be waiting for a result.
    ~SqliteRecordStore() override;

    [[nodiscard]] Task<Result<PutOutcome>> put(SharedRecord record, UnixTime now,
                                               Standing author = Standing::registered) override;
    [[nodiscard]] Task<Result<std::vector<SharedRecord>>> query(std::vector<codec::Filter> filters, QueryLimits limits,
                                                                UnixTime now) override;
    [[nodiscard]] Task<Result<std::vector<Hash32>>> find(std::vector<codec::Filter> filters, std::size_t limit,
                                                         UnixTime now) override;
    [[nodiscard]] Task<Result<std::vector<SyncItem>>> items(codec::Filter filter, std::size_t limit,
                                                            UnixTime now) override;
    [[nodiscard]] Task<Result<RecordPage>> load(std::vector<Hash32> ids, std::size_t max_bytes) override;
    [[nodiscard]] Task<Result<std::size_t>> purge(UnixTime now) override;

private:
    class Impl;
    explicit SqliteRecordStore(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace myst::db
