// What both kinds of network do with an own record and with answers.
#pragma once

#include "myst/db/record.hpp"
#include "myst/ports/record_network.hpp"
#include "myst/runtime/worker_pool.hpp"

namespace myst::db {

/// Verifies an own record on the worker pool; a wrong signature is invalid_argument, since the caller signed it.
[[nodiscard]] Task<Result<SharedRecord>> verify_own(WorkerPool& workers, codec::Event event);

/// The report, or unavailable with everybody's reasons if nobody accepted.
[[nodiscard]] Result<ports::PublishReport> conclude(ports::PublishReport report);

/// Copies of the events, for callers that know nothing of records.
[[nodiscard]] std::vector<codec::Event> to_events(const std::vector<SharedRecord>& records);

}  // namespace myst::db
