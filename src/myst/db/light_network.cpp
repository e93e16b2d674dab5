#include "myst/db/light_network.hpp"

#include "myst/db/publishing.hpp"
#include "myst/db/version_filter.hpp"

namespace myst::db {
namespace {

/// Records remembered by one subscription to recognise repetitions and outdated versions.
constexpr std::size_t kRemembered = 8192;

}  // namespace

LightNetwork::LightNetwork(asio::any_io_executor executor, const Clock& clock, Rng& rng, WorkerPool& workers,
                           RelaySet::Settings settings, EnvelopeCarrier::Settings envelopes)
    : clock_(clock),
      workers_(workers),
      carrier_(executor, clock, rng, workers, settings.client, std::move(envelopes)),
      relays_(std::move(executor), clock, rng, workers, std::move(settings)) {}

Task<> LightNetwork::run() {
    return relays_.run();
}

Task<Result<ports::PublishReport>> LightNetwork::publish(codec::Event event) {
    auto record = co_await verify_own(workers_, std::move(event));
    if (!record) co_return forward_error(record);
    relays_.keep(*record);
    auto report = co_await relays_.publish(std::move(*record), RelaySet::Absent::wait_for);
    co_return conclude(std::move(report));
}

Task<Result<std::vector<codec::Event>>> LightNetwork::query(std::vector<codec::Filter> filters, std::size_t limit) {
    auto records = co_await relays_.query(std::move(filters), limit);
    if (!records) co_return forward_error(records);
    co_return to_events(*records);
}

std::unique_ptr<ports::Subscription> LightNetwork::subscribe(std::vector<codec::Filter> filters, Callback callback) {
    auto versions = std::make_shared<VersionFilter>(kRemembered);
    return relays_.subscribe(std::move(filters),
                             [this, versions, callback = std::move(callback)](const SharedRecord& record) {
                                 if (versions->admit(record->event(), clock_.unix_now())) callback(record->event());
                             });
}

Task<Result<>> LightNetwork::exchange(ports::EnvelopeExchange exchange) {
    return carrier_.carry(*this, relays_.reached(), std::move(exchange));
}

std::vector<ports::RelayStatus> LightNetwork::relays() const {
    return relays_.status();
}

}  // namespace myst::db
