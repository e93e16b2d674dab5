#include "scale/scenario.hpp"

#include "scale/reconciler.hpp"

namespace myst::scale {
namespace {

constexpr Time kRetryPublishing = seconds(5);
constexpr std::uint32_t kCountries = 40;
/// As in node/offer_search.cpp: the pages that one search reads.
constexpr std::size_t kSearchRecords = 20 * 500;
constexpr std::size_t kSearchPage = 500;

class Scenario {
public:
    explicit Scenario(const Parameters& parameters) : world_(parameters), reconciler_(world_) {
        for (std::uint32_t i = 0; i < parameters.providers; ++i) homes_.push_back(some_relays());
        schedule();
    }

    Report run() {
        while (!ended_ && !world_.queue.empty()) {
            const auto event = world_.queue.take();
            world_.now = event.at;
            handle(event);
        }
        return report();
    }

private:
    [[nodiscard]] std::vector<std::uint32_t> some_relays() {
        std::vector<std::uint32_t> relays;
        const auto& parameters = world_.parameters;
        while (relays.size() < std::min(parameters.author_relays, parameters.nodes)) {
            const auto relay = static_cast<std::uint32_t>(world_.random.below(parameters.nodes));
            if (std::find(relays.begin(), relays.end(), relay) == relays.end()) relays.push_back(relay);
        }
        return relays;
    }

    void at(Time when, What what, std::uint32_t a = 0) { world_.queue.add({.at = when, .what = what, .a = a}); }

    void schedule() {
        const auto& p = world_.parameters;
        start_ = world_.now + p.warm_up;
        const Time stop = start_ + p.measured;
        at(start_, What::start);
        if (p.split > seconds(0)) {
            at(start_, What::split);
            at(start_ + p.split, What::heal);
        }
        if (p.forget) at(start_, What::forget);
        at(start_ + p.sample_every, What::sample);
        at(stop, What::stop);
        at(stop, What::quiet);
        at(stop + p.drain, What::end);
        if (p.searches_per_hour > 0) at(start_, What::search);
        for (std::uint32_t i = 0; p.node_up > seconds(0) && i < p.nodes; ++i) {
            at(world_.now + world_.around(p.node_up), What::leave, i);
        }
        for (std::uint32_t i = 0; p.connection > seconds(0) && i < world_.links.size(); ++i) {
            world_.queue.add({.at = world_.now + world_.around(p.connection), .what = What::cut, .a = i, .b = 1});
        }
    }

    void handle(const Event& event) {
        switch (event.what) {
            case What::refresh: return on_refresh(event.a);
            case What::inject: return on_inject(event);
            case What::live: return on_live(event);
            case What::push: return on_push(event);
            case What::join: return on_join(event);
            case What::cut: return on_cut(event);
            case What::leave: return on_leave(event.a);
            case What::back: return on_back(event.a);
            case What::reconcile: return on_reconcile(event);
            case What::step:
                if (world_.arrives(event)) reconciler_.step(event.a);
                return;
            case What::search: return on_search();
            case What::sample: return on_sample();
            case What::split: return on_split();
            case What::heal: return on_heal();
            case What::forget: return on_forget(event.a);
            case What::start: return on_start();
            case What::stop: world_.measuring = false; return;
            case What::quiet: quiet_ = true; return;
            case What::end: ended_ = true; return;
        }
    }

    void on_start() {
        world_.measuring = true;
        world_.measured_from = world_.now;
    }

    void on_refresh(std::uint32_t provider) {
        if (quiet_) return;
        const bool own = provider < world_.parameters.own_providers;
        std::vector<std::uint32_t> homes;
        if (own && world_.nodes[provider].up) homes.push_back(provider);
        for (const auto home : own ? std::vector<std::uint32_t>{} : homes_[provider]) {
            const bool same_side = !world_.divided || world_.nodes[home].side == world_.nodes[homes_[provider][0]].side;
            if (world_.nodes[home].up && same_side) homes.push_back(home);
        }
        if (homes.empty()) return at(world_.now + kRetryPublishing, What::refresh, provider);
        const Handle record = world_.publish(provider);
        at(world_.now + world_.parameters.refresh, What::refresh, provider);
        if (own) {
            std::ignore = world_.take(provider, record, Way::own, 0);
            return world_.push_own(provider, record);
        }
        for (const auto home : homes) {
            world_.queue.add({.at = world_.now + world_.latency(), .what = What::inject, .a = home, .b = record});
        }
    }

    void on_inject(const Event& event) {
        if (!world_.nodes[event.a].up) return;
        world_.count(Traffic::author, world_.sizes.event + world_.sizes.ok);
        world_.take(event.a, event.b, Way::author, 0);
    }

    void on_live(const Event& event) {
        if (!world_.arrives(event)) return;
        const bool fresh = world_.take(world_.links[event.a].client, event.c, Way::live, event.hops);
        world_.count(fresh ? Traffic::live : Traffic::duplicate, world_.sizes.live);
    }

    void on_push(const Event& event) {
        if (!world_.arrives(event)) return;
        world_.count(Traffic::author, world_.sizes.event + world_.sizes.ok);
        world_.take(world_.links[event.a].server, event.c, Way::author, event.hops);
    }

    void on_join(const Event& event) {
        const auto& link = world_.links[event.a];
        if (link.up || link.session != event.b || !world_.nodes[link.client].up) return;
        if (world_.reachable(link)) return world_.connect(event.a);
        world_.try_again(event.a, event.c + 1);
    }

    void end_connection(std::uint32_t link) {
        world_.disconnect(link);
        reconciler_.drop(link);
    }

    void on_cut(const Event& event) {
        if (!quiet_ && world_.links[event.a].session == event.b) end_connection(event.a);
    }

    void on_leave(std::uint32_t index) {
        if (quiet_) return;
        auto& node = world_.nodes[index];
        node.up = false;
        for (const auto link : node.links) end_connection(link);
        for (const auto link : node.followers) end_connection(link);
        at(world_.now + world_.around(world_.parameters.node_down), What::back, index);
    }

    void on_back(std::uint32_t index) {
        auto& node = world_.nodes[index];
        node.up = true;
        node.busy_until = world_.now;
        for (const auto link : node.links) world_.try_again(link, 0);
        at(world_.now + world_.around(world_.parameters.node_up), What::leave, index);
    }

    void on_reconcile(const Event& event) {
        const auto& link = world_.links[event.a];
        if (link.up && link.session == event.b) reconciler_.begin(event.a);
    }

    void on_search() {
        const auto& p = world_.parameters;
        if (!world_.measuring) return;
        at(world_.now + world_.around(Time(seconds(3600)) / p.searches_per_hour), What::search);
        const auto country = static_cast<std::uint32_t>(world_.random.below(kCountries));
        for (const auto relay : some_relays()) {
            const auto& node = world_.nodes[relay];
            if (!node.up) continue;
            std::size_t found = 0;
            for (auto i = country; i < p.providers && found < kSearchRecords; i += kCountries) {
                const auto record = node.newest[i];
                if (record == 0 || world_.expired(record)) continue;
                ++found;
                world_.count(&Counters::outdated, record != world_.current[i] ? 1 : 0);
            }
            world_.count(&Counters::searches);
            world_.count(&Counters::answered, found);
            world_.count(Traffic::clients, found * world_.sizes.live + (found / kSearchPage + 1) * world_.sizes.ask);
        }
    }

    [[nodiscard]] std::uint64_t missing(const Node& node) const {
        std::uint64_t missing = 0;
        for (std::uint32_t i = 0; i < world_.parameters.providers; ++i) {
            missing += node.newest[i] != world_.current[i] && !world_.expired(world_.current[i]) ? 1 : 0;
        }
        return missing;
    }

    void on_sample() {
        if (!world_.measuring) return;
        at(world_.now + world_.parameters.sample_every, What::sample);
        for (const auto& node : world_.nodes) {
            if (!node.up) continue;
            const auto count = missing(node);
            missing_sum_ += count;
            missing_most_ = std::max(missing_most_, count);
            ++samples_;
        }
        ++rounds_of_samples_;
    }

    void on_split() {
        for (std::size_t i = 0; i < world_.nodes.size(); ++i) world_.nodes[i].side = i % 2 == 0;
        world_.divided = true;
        for (std::uint32_t i = 0; i < world_.links.size(); ++i) {
            if (world_.links[i].up && !world_.reachable(world_.links[i])) end_connection(i);
        }
    }

    void on_heal() {
        world_.divided = false;
        watch();
    }

    void on_forget(std::uint32_t index) {
        auto& node = world_.nodes[index];
        for (const auto link : node.links) end_connection(link);
        for (const auto link : node.followers) end_connection(link);
        std::fill(node.newest.begin(), node.newest.end(), Handle{0});
        watch();
    }

    /// From now on it is measured how long it takes until everybody has what is newest now.
    void watch() {
        world_.expect_all();
        watched_ = world_.now;
    }

    /// How often a client and a provider that chose their relays by chance can exchange envelopes without a call of the
    /// relays that the offer names.
    [[nodiscard]] double reach() {
        constexpr std::size_t kPairs = 20'000;
        std::size_t reached = 0;
        for (std::size_t i = 0; i < kPairs; ++i) {
            const auto mine = some_relays();
            const auto theirs = some_relays();
            reached +=
                std::any_of(mine.begin(), mine.end(),
                            [&](auto relay) { return std::find(theirs.begin(), theirs.end(), relay) != theirs.end(); })
                    ? 1
                    : 0;
        }
        return static_cast<double>(reached) / kPairs;
    }

    Report report() {
        Report report;
        report.trace = world_.trace.hash();
        report.seconds = static_cast<double>(world_.parameters.measured.count());
        report.nodes =
            static_cast<double>(samples_) / static_cast<double>(std::max<std::size_t>(rounds_of_samples_, 1));
        report.counters = world_.counters;
        report.delay_p50_ms = world_.delay.at(500);
        report.delay_p99_ms = world_.delay.at(990);
        report.delay_p999_ms = world_.delay.at(999);
        report.hops_p50 = world_.hops.at(500);
        report.hops_p99 = world_.hops.at(990);
        report.missing_mean =
            static_cast<double>(missing_sum_) / static_cast<double>(std::max<std::size_t>(samples_, 1));
        report.missing_most = missing_most_;
        for (const auto& node : world_.nodes) report.missing_at_end += node.up ? missing(node) : 0;
        if (watched_ && world_.converged()) {
            report.converged_in = std::chrono::ceil<milliseconds>(*world_.converged() - *watched_);
        }
        report.reach = reach();
        return report;
    }

    World world_;
    Reconciler reconciler_;
    std::vector<std::vector<std::uint32_t>> homes_;  ///< by provider: the relays it publishes at
    Time start_{};
    std::optional<Time> watched_;
    bool quiet_ = false;
    bool ended_ = false;
    std::uint64_t missing_sum_ = 0;
    std::uint64_t missing_most_ = 0;
    std::size_t samples_ = 0;
    std::size_t rounds_of_samples_ = 0;
};

}  // namespace

Report simulate(const Parameters& parameters) {
    return Scenario(parameters).run();
}

}  // namespace myst::scale
