// The database as a light node sees it: one or more remote relays and no store. None of them is trusted: every record
// is verified, answers are merged, and the newest version wins.
#pragma once

#include "myst/db/envelope_carrier.hpp"
#include "myst/db/relay_set.hpp"

namespace myst::db {

/// Control thread. Everything given by reference must outlive the network.
class LightNetwork final : public ports::RecordNetwork {
public:
    LightNetwork(asio::any_io_executor executor, const Clock& clock, Rng& rng, WorkerPool& workers,
                 RelaySet::Settings settings, EnvelopeCarrier::Settings envelopes = {});

    /// Keeps the connections until cancelled.
    [[nodiscard]] Task<> run();

    [[nodiscard]] Task<Result<ports::PublishReport>> publish(codec::Event event) override;
    [[nodiscard]] Task<Result<std::vector<codec::Event>>> query(std::vector<codec::Filter> filters,
                                                                std::size_t limit) override;
    [[nodiscard]] std::unique_ptr<ports::Subscription> subscribe(std::vector<codec::Filter> filters,
                                                                 Callback callback) override;
    [[nodiscard]] Task<Result<>> exchange(ports::EnvelopeExchange exchange) override;
    [[nodiscard]] std::vector<ports::RelayStatus> relays() const override;

private:
    const Clock& clock_;
    WorkerPool& workers_;
    EnvelopeCarrier carrier_;
    RelaySet relays_;
};

}  // namespace myst::db
