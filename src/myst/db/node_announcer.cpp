#include "myst/db/node_announcer.hpp"

#include "myst/base/log.hpp"
#include "myst/base/random_below.hpp"

namespace myst::db {

NodeAnnouncer::NodeAnnouncer(ports::RecordNetwork& network, Signer sign, const Clock& clock, Rng& rng,
                             Settings settings)
    : network_(network), sign_(std::move(sign)), clock_(clock), rng_(rng), settings_(std::move(settings)) {}

Task<> NodeAnnouncer::run() {
    for (;;) {
        auto published = co_await publish();
        if (!published) log::warn("node record: {}", published.error().describe());
        const auto pause = published ? settings_.interval : settings_.retry;
        // Nodes that were started together do not publish together for ever.
        const auto steps = static_cast<std::uint64_t>(pause.count()) / 2;
        const milliseconds random(static_cast<std::int64_t>(random_below(rng_, steps + 1)));
        co_await sleep_for(pause * 3 / 4 + random);
    }
}

Task<Result<>> NodeAnnouncer::publish() {
    NodeRecord record = settings_.record;
    record.published = clock_.unix_now();
    record.expires = record.published + settings_.life;
    auto event = make_node_record(record);
    if (!event) co_return forward_error(event);
    auto signing = sign_(std::move(*event));
    event = co_await std::move(signing);
    if (!event) co_return forward_error(event);
    auto publishing = network_.publish(std::move(*event));
    auto published = co_await std::move(publishing);
    if (!published) co_return forward_error(published);
    co_return Result<>();
}

}  // namespace myst::db
