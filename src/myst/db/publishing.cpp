#include "myst/db/publishing.hpp"

#include <fmt/format.h>

namespace myst::db {

Task<Result<SharedRecord>> verify_own(WorkerPool& workers, codec::Event event) {
    auto work = [event = std::move(event)] { return Record::verify(event); };
    auto job = workers.run(std::move(work));
    auto record = co_await std::move(job);
    if (!record) co_return fail(ErrorCode::invalid_argument, "publishing: " + record.error().message);
    co_return record;
}

Result<ports::PublishReport> conclude(ports::PublishReport report) {
    if (!report.accepted.empty()) return report;
    std::string message = "nobody took the record";
    for (const auto& [relay, reason] : report.rejected) message += fmt::format("; {}: {}", relay, reason);
    return fail(ErrorCode::unavailable, std::move(message), "check the relay addresses and the network");
}

std::vector<codec::Event> to_events(const std::vector<SharedRecord>& records) {
    std::vector<codec::Event> events;
    events.reserve(records.size());
    for (const auto& record : records) events.push_back(record->event());
    return events;
}

}  // namespace myst::db
