#include "scale/world.hpp"

#include <numeric>

#include "myst/base/check.hpp"

namespace myst::scale {
namespace {

using std::chrono::nanoseconds;

/// One-way times between two hosts of the internet in ms: equally likely steps from the same town to the antipodes.
constexpr std::array<std::uint64_t, 14> kLatency{2, 5, 8, 12, 18, 25, 35, 45, 60, 75, 90, 110, 140, 180};
/// Of a connection, in each direction: 100 Mbit/s.
constexpr nanoseconds kPerByte{80};
constexpr Time kRetransmission = milliseconds(200);  ///< the least that TCP waits
constexpr Time kFirstRetry = milliseconds(500);
constexpr Time kLastRetry = seconds(10);

}  // namespace

std::size_t Histogram::at(std::uint64_t per_mille) const {
    const std::uint64_t wanted = (total_ * per_mille + 999) / 1000;
    std::uint64_t seen = 0;
    for (std::size_t value = 0; value < counts_.size(); ++value) {
        seen += counts_[value];
        if (seen >= wanted) return value;
    }
    return counts_.size() - 1;
}

World::World(const Parameters& chosen)
    : parameters(chosen), sizes(measure_sizes()), random(chosen.seed), current(chosen.providers), nodes(chosen.nodes) {
    CHECK(chosen.peers < chosen.nodes && chosen.own_providers <= std::min(chosen.nodes, chosen.providers));
    now = parameters.lifetime;
    make_links();
    // As if all had been running for long: every node has every offer, refreshed some time within the interval.
    const auto start = now;
    std::vector<Time> ages(parameters.providers);
    for (auto& age : ages) age = Time(static_cast<std::int64_t>(random.below(as_number(parameters.refresh))));
    std::sort(ages.begin(), ages.end(), std::greater<>());
    std::vector<std::uint32_t> order(parameters.providers);
    std::iota(order.begin(), order.end(), 0U);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    for (std::uint32_t i = 0; i < parameters.providers; ++i) {
        now = start - ages[i];
        std::ignore = publish(order[i]);
        queue.add({.at = now + parameters.refresh, .what = What::refresh, .a = order[i]});
    }
    now = start;
    for (auto& node : nodes) node.newest = current;
}

void World::make_links() {
    for (std::uint32_t client = 0; client < parameters.nodes; ++client) {
        std::vector<std::uint32_t> chosen;
        while (chosen.size() < parameters.peers) {
            const auto server = static_cast<std::uint32_t>(random.below(parameters.nodes));
            if (server == client || std::find(chosen.begin(), chosen.end(), server) != chosen.end()) continue;
            chosen.push_back(server);
            const auto index = static_cast<std::uint32_t>(links.size());
            links.push_back({.client = client, .server = server, .latency = latency(), .session = 1, .up = true});
            nodes[client].links.push_back(index);
            nodes[server].followers.push_back(index);
            const Time phase(static_cast<std::int64_t>(random.below(as_number(parameters.reconcile))));
            queue.add({.at = now + phase, .what = What::reconcile, .a = index, .b = 1});
        }
    }
}

Handle World::publish(std::uint32_t provider) {
    records.push_back({.provider = provider, .born = now, .expires = now + parameters.lifetime});
    const auto handle = static_cast<Handle>(records.size() - 1);
    current[provider] = handle;
    count(&Counters::published);
    return handle;
}

bool World::take(std::uint32_t index, Handle record, Way way, std::uint8_t hop) {
    auto& node = nodes[index];
    const auto& info = records[record];
    count(&Counters::copies);
    work(node, costs.copy);
    const Handle held = node.newest[info.provider];
    if (held >= record || expired(record)) return false;
    node.newest[info.provider] = record;
    const Time done = work(node, costs.store);
    count(&Counters::stored);
    if (way == Way::repair) count(&Counters::repaired);
    trace.note(std::chrono::floor<milliseconds>(now), "take", (std::uint64_t{index} << 32) | record);
    if (measuring && way != Way::own && info.born >= measured_from) {
        delay.add(as_number(done - info.born) / 1000);
        hops.add(hop);
    }
    if (!wanted_.empty() && held < wanted_[info.provider] && record >= wanted_[info.provider] && --outstanding_ == 0) {
        converged_ = now;
    }
    for (const auto follower : node.followers) {
        if (!links[follower].up) continue;
        count(&Counters::sent);
        const Time sent = work(node, costs.send);
        queue.add({.at = arrival(follower, true, sent, sizes.live),
                   .what = What::live,
                   .hops = static_cast<std::uint8_t>(std::min(hop + 1, 60)),
                   .a = follower,
                   .b = links[follower].session,
                   .c = record});
    }
    return true;
}

void World::push_own(std::uint32_t index, Handle record) {
    for (const auto link : nodes[index].links) {
        if (!links[link].up) continue;
        queue.add({.at = arrival(link, false, now, sizes.event),
                   .what = What::push,
                   .hops = 1,
                   .a = link,
                   .b = links[link].session,
                   .c = record});
    }
}

bool World::reachable(const Link& link) const {
    const auto& client = nodes[link.client];
    const auto& server = nodes[link.server];
    return client.up && server.up && !(divided && client.side != server.side);
}

void World::connect(std::uint32_t index) {
    auto& link = links[index];
    link.up = true;
    ++link.session;
    link.last_down = now;
    link.last_up = now;
    queue.add({.at = now, .what = What::reconcile, .a = index, .b = link.session});
    if (parameters.connection > seconds(0)) {
        queue.add({.at = now + around(parameters.connection), .what = What::cut, .a = index, .b = link.session});
    }
    // Own records again; the other side knows them, or lacks them.
    if (link.client < parameters.own_providers && !expired(current[link.client])) {
        queue.add({.at = arrival(index, false, now, sizes.event),
                   .what = What::push,
                   .hops = 1,
                   .a = index,
                   .b = link.session,
                   .c = nodes[link.client].newest[link.client]});
    }
}

void World::disconnect(std::uint32_t index) {
    auto& link = links[index];
    if (!link.up) return;
    link.up = false;
    ++link.session;
    try_again(index, 0);
}

void World::try_again(std::uint32_t index, std::uint32_t attempts) {
    const auto pause = std::min<Time>(kFirstRetry * (1U << std::min(attempts, 5U)), kLastRetry);
    const auto half = Time(static_cast<std::int64_t>(random.below(as_number(pause / 2) + 1)));
    // TCP's handshake and HTTP's take two round trips.
    queue.add({.at = now + pause - half + 4 * links[index].latency,
               .what = What::join,
               .a = index,
               .b = links[index].session,
               .c = attempts});
}

bool World::arrives(const Event& event) {
    const auto& link = links[event.a];
    if (link.up && link.session == event.b) return true;
    count(&Counters::lost);
    return false;
}

Time World::arrival(std::uint32_t index, bool to_client, Time from, std::size_t bytes) {
    auto& link = links[index];
    auto& last = to_client ? link.last_down : link.last_up;
    const Time transfer = std::chrono::ceil<Time>(kPerByte * static_cast<std::int64_t>(bytes));
    Time at = from + link.latency + Time(static_cast<std::int64_t>(random.below(as_number(link.latency) / 10 + 1)));
    if (random.chance(parameters.lost_per_mille)) at += kRetransmission + 2 * link.latency;
    last = std::max(at, last) + transfer;
    return last;
}

Time World::latency() {
    const auto step = random.below(kLatency.size() - 1);
    return milliseconds(random.between(kLatency[step], kLatency[step + 1]));
}

Time World::work(Node& node, nanoseconds cost) {
    node.busy_until = std::max(node.busy_until, now) + std::chrono::ceil<Time>(cost);
    return node.busy_until;
}

void World::expect_all() {
    wanted_ = current;
    outstanding_ = 0;
    converged_.reset();
    for (const auto& node : nodes) {
        if (!node.up) continue;
        for (std::uint32_t i = 0; i < parameters.providers; ++i) outstanding_ += node.newest[i] < wanted_[i] ? 1 : 0;
    }
    if (outstanding_ == 0) converged_ = now;
}

}  // namespace myst::scale
