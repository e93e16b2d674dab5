#include "scale/reconciler.hpp"

#include "myst/base/check.hpp"

namespace myst::scale {
namespace {

// As in db/replication.cpp and db/relay_info.hpp.
constexpr std::size_t kMaxRounds = 64;
constexpr std::size_t kMaxLearnt = 20'000;
constexpr std::size_t kMaxRuns = 64;
constexpr std::size_t kMaxRefused = 8'192;
constexpr std::size_t kIdsPerPage = 320;
constexpr std::size_t kMaxOffered = 2'000;
constexpr std::size_t kOfferedBytes = 16 * 1024;
constexpr std::uint32_t kMessagesPerSecond = 50;
constexpr std::uint32_t kBurst = 200;
constexpr Time kTokenPause = milliseconds(20);

/// Unix time of the simulation's beginning.
constexpr std::uint64_t kEpoch = 1'800'000'000;

MonotonicTime monotonic(Time now) {
    return MonotonicTime(now);
}

}  // namespace

Hash32 id_of(Handle record) {
    sim::Random bits(record);
    Hash32 id;
    for (std::size_t i = 0; i < 24; i += 8) {
        auto word = bits.next();
        for (std::size_t j = 0; j < 8; ++j, word >>= 8) id.bytes[i + j] = static_cast<std::uint8_t>(word);
    }
    for (std::size_t i = 28; i < Hash32::kSize; ++i, record >>= 8) id.bytes[i] = static_cast<std::uint8_t>(record);
    return id;
}

Handle handle_of(const Hash32& id) {
    Handle record = 0;
    for (std::size_t i = Hash32::kSize; i > 28; --i) record = (record << 8) | id.bytes[i - 1];
    return record;
}

std::shared_ptr<const db::SyncSet> Reconciler::snapshot(std::uint32_t node) {
    while (items_.size() < world_.records.size()) {
        const auto born = std::chrono::floor<seconds>(world_.records[items_.size()].born);
        items_.push_back(
            {kEpoch + static_cast<std::uint64_t>(born.count()), id_of(static_cast<Handle>(items_.size()))});
    }
    std::vector<db::SyncItem> items;
    items.reserve(world_.parameters.providers);
    for (const auto record : world_.nodes[node].newest) {
        if (record != 0 && !world_.expired(record)) items.push_back(items_[record]);
    }
    world_.count(&Counters::sync_items, items.size());
    return std::make_shared<const db::SyncSet>(std::move(items));
}

void Reconciler::send(std::uint32_t link, Run& run, Phase phase, std::size_t bytes) {
    run.phase = phase;
    const bool to_client = phase == Phase::answer || phase == Phase::fetched || phase == Phase::acknowledged;
    world_.queue.add({.at = world_.arrival(link, to_client, world_.now, bytes),
                      .what = What::step,
                      .a = link,
                      .b = world_.links[link].session});
}

void Reconciler::drop(std::uint32_t link) {
    runs_.erase(link);
    buckets_.erase(link);
}

void Reconciler::begin(std::uint32_t link) {
    if (runs_.contains(link)) return;
    open(link, runs_[link]);
}

void Reconciler::open(std::uint32_t link, Run& run) {
    const std::size_t runs = run.runs + 1;
    run = Run{};
    run.runs = runs;
    run.ours = snapshot(world_.links[link].client);
    run.message = db::sync_open(*run.ours);
    world_.count(&Counters::comparisons);
    const std::size_t bytes = world_.sizes.neg_open + 2 * run.message.size();
    world_.count(Traffic::compare, bytes);
    send(link, run, Phase::question, bytes);
}

void Reconciler::step(std::uint32_t link) {
    const auto found = runs_.find(link);
    CHECK(found != runs_.end());
    auto& run = found->second;
    switch (run.phase) {
        case Phase::question: return on_question(link, run);
        case Phase::answer: return on_answer(link, run);
        case Phase::fetching: return on_fetching(link, run);
        case Phase::fetched: return on_fetched(link, run);
        case Phase::offered: return on_offered(link, run);
        case Phase::acknowledged: return offer(link, run);
    }
}

void Reconciler::on_question(std::uint32_t link, Run& run) {
    if (!run.theirs) run.theirs = snapshot(world_.links[link].server);
    auto answer = db::sync_answer(*run.theirs, run.message);
    CHECK(answer);
    run.message = std::move(*answer);
    const std::size_t bytes = world_.sizes.neg_next + 2 * run.message.size();
    world_.count(Traffic::compare, bytes);
    send(link, run, Phase::answer, bytes);
}

void Reconciler::on_answer(std::uint32_t link, Run& run) {
    auto step = db::sync_step(*run.ours, run.message);
    CHECK(step);
    learn(link, run.have, step->have);
    learn(link, run.need, step->need);
    run.whole = !step->next;
    if (!run.whole && ++run.rounds < kMaxRounds && run.have.size() + run.need.size() < kMaxLearnt) {
        run.message = std::move(*step->next);
        const std::size_t bytes = world_.sizes.neg_next + 2 * run.message.size();
        world_.count(Traffic::compare, bytes);
        return send(link, run, Phase::question, bytes);
    }
    world_.count(Traffic::compare, world_.sizes.neg_close);
    run.message.clear();
    run.ours.reset();
    run.theirs.reset();
    if (run.have.size() > kMaxOffered) {
        run.have.resize(kMaxOffered);
        run.whole = false;
    }
    fetch(link, run);
}

void Reconciler::learn(std::uint32_t link, std::vector<Handle>& to, const std::vector<Hash32>& from) {
    const auto& refused = refused_.try_emplace(link, kMaxRefused).first->second;
    for (const auto& id : from) {
        if (to.size() < kMaxLearnt && !refused.contains(id)) to.push_back(handle_of(id));
    }
}

void Reconciler::fetch(std::uint32_t link, Run& run) {
    if (run.next == run.need.size()) {
        run.next = 0;
        return offer(link, run);
    }
    const auto count = std::min(kIdsPerPage, run.need.size() - run.next);
    const auto first = run.need.begin() + static_cast<std::ptrdiff_t>(run.next);
    run.page.assign(first, first + static_cast<std::ptrdiff_t>(count));
    run.next += count;
    const std::size_t bytes = world_.sizes.ask + count * world_.sizes.ask_id;
    world_.count(Traffic::repair, bytes);
    send(link, run, Phase::fetching, bytes);
}

void Reconciler::on_fetching(std::uint32_t link, Run& run) {
    const auto& server = world_.nodes[world_.links[link].server];
    std::size_t bytes = 0;
    for (auto& record : run.page) {
        const bool here = server.newest[world_.records[record].provider] == record && !world_.expired(record);
        if (here) {
            bytes += world_.sizes.live;
        } else {
            std::ignore = refused_.at(link).insert(id_of(record));
            record = 0;
        }
    }
    std::erase(run.page, Handle{0});
    world_.count(Traffic::repair, bytes);
    world_.count(&Counters::fetched, run.page.size());
    send(link, run, Phase::fetched, bytes);
}

void Reconciler::on_fetched(std::uint32_t link, Run& run) {
    const auto client = world_.links[link].client;
    for (const auto record : run.page) {
        if (world_.take(client, record, Way::repair, 0)) {
            ++run.moved;
        } else if (world_.nodes[client].newest[world_.records[record].provider] != record) {
            std::ignore = refused_.at(link).insert(id_of(record));
        }
    }
    fetch(link, run);
}

void Reconciler::offer(std::uint32_t link, Run& run) {
    if (run.next == run.have.size()) return finish(link, run);
    const auto& client = world_.nodes[world_.links[link].client];
    run.page.clear();
    while (run.next < run.have.size() && run.page.size() * world_.sizes.record < kOfferedBytes) {
        const Handle record = run.have[run.next++];
        if (client.newest[world_.records[record].provider] == record) run.page.push_back(record);
    }
    const std::size_t bytes = run.page.size() * world_.sizes.event;
    world_.count(Traffic::repair, bytes + run.page.size() * world_.sizes.ok);
    send(link, run, Phase::offered, bytes);
}

void Reconciler::on_offered(std::uint32_t link, Run& run) {
    auto& bucket = buckets_.try_emplace(link, kMessagesPerSecond, kBurst, monotonic(world_.now)).first->second;
    const auto server = world_.links[link].server;
    while (!run.page.empty()) {
        if (!bucket.take(monotonic(world_.now))) {
            world_.queue.add(
                {.at = world_.now + kTokenPause, .what = What::step, .a = link, .b = world_.links[link].session});
            return;
        }
        const Handle record = run.page.back();
        run.page.pop_back();
        const bool fresh = world_.take(server, record, Way::repair, 0);
        const bool same = world_.nodes[server].newest[world_.records[record].provider] == record;
        if (fresh || same) {
            ++run.moved;
        } else {
            std::ignore = refused_.at(link).insert(id_of(record));
        }
    }
    send(link, run, Phase::acknowledged, kOfferedBytes / world_.sizes.record * world_.sizes.ok);
}

void Reconciler::finish(std::uint32_t link, Run& run) {
    world_.trace.note(std::chrono::floor<milliseconds>(world_.now), "reconciled",
                      (std::uint64_t{link} << 32) | run.moved);
    if (!run.whole && run.moved > 0 && run.runs < kMaxRuns) return open(link, run);
    runs_.erase(link);
    world_.queue.add({.at = world_.now + world_.parameters.reconcile,
                      .what = What::reconcile,
                      .a = link,
                      .b = world_.links[link].session});
}

}  // namespace myst::scale
