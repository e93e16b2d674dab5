#include "myst/node/latency_probe.hpp"

#include <deque>
#include <set>

#include "myst/node/provider_question.hpp"
#include "myst/runtime/task_group.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::node {
namespace {

constexpr std::size_t kAtOnce = 8;
constexpr milliseconds kAnswerLimit{2'000};

/// What one round of measuring shares with its tasks.
struct Round {
    std::deque<Proposal> offers;
    std::size_t answered = 0;
};

/// None: no answer came in time.
Task<std::optional<milliseconds>> probe(Context& context, Proposal offer) {
    const auto arrived = std::make_shared<std::optional<MonotonicTime>>();
    const Ping ping{random_bytes<SessionId>(context.rng)};
    const auto is_answer = [arrived, id = ping.id, clock = &context.clock](const Envelope& envelope) {
        const auto* pong = std::get_if<Pong>(&envelope);
        if (!pong || pong->id != id) return false;
        *arrived = clock->now();
        return true;
    };
    ProviderQuestion question{offer.provider, std::move(offer.relays), crypto::PrivateKey::generate(context.rng), ping,
                              is_answer};
    std::string late = "no answer came in time";
    const auto begun = context.clock.now();
    auto asking = ask_provider(context, std::move(question), kAnswerLimit);
    // A relay may still be about to report what it has delivered long ago.
    auto answer = co_await with_timeout(std::move(asking), kAnswerLimit, std::move(late));
    if (!*arrived) co_return std::nullopt;
    co_return std::chrono::ceil<milliseconds>(**arrived - begun);
}

Task<> work(Context& context, LatencyBook& book, std::shared_ptr<Round> round) {
    while (!round->offers.empty()) {
        auto offer = std::move(round->offers.front());
        round->offers.pop_front();
        const auto provider = offer.provider;
        auto latency = co_await probe(context, std::move(offer));
        book.note(provider, latency);
        if (latency) ++round->answered;
    }
}

}  // namespace

Task<LatencyRound> measure_latency(Context& context, LatencyBook& book, std::vector<Proposal> offers,
                                   std::size_t most) {
    std::set<NodeKey> providers;
    std::erase_if(offers, [&](const Proposal& offer) {
        return book.knows(offer.provider) || !providers.insert(offer.provider).second;
    });
    LatencyRound result;
    result.measured = std::min(most, offers.size());
    result.left = offers.size() - result.measured;
    const auto round = std::make_shared<Round>();
    for (std::size_t i = 0; i < result.measured; ++i) round->offers.push_back(std::move(offers[i]));
    TaskGroup probes(context.executor);
    for (std::size_t i = 0; i < std::min(kAtOnce, result.measured); ++i) {
        probes.spawn("latency probe", work(context, book, round));
    }
    co_await probes.join();
    result.answered = round->answered;
    co_return result;
}

}  // namespace myst::node
