#include "simulation.hpp"

#include "consumer.hpp"
#include "provider.hpp"

namespace myst::sim {
namespace {

constexpr milliseconds kBlockTime{2'000};
constexpr milliseconds kLimit{600'000};  // to settle in, after the last fault
constexpr milliseconds kLastUse{5'000};  // the consumer stays for so long after it
constexpr std::size_t kDeepest = 4;      // reorganisation
constexpr std::size_t kWholeBlock = 100;

class Simulation {
public:
    Simulation(std::uint64_t seed, Tally& tally, bool tell) : world_(seed, tally, tell) {}

    Outcome run() {
        pay_in(world_.plan.deposit);
        world_.chain.mine(world_.unix_now(), kWholeBlock);
        tick();
        make_blocks();
        while (!ended_ && world_.auditor.violation().empty() && world_.engine.step()) {
            world_.provider->audit_disk();
        }
        if (world_.auditor.violation().empty()) close_the_books();
        return {world_.trace.hash(), world_.auditor.violation(), settled_in_};
    }

private:
    void tick() {
        const auto now = world_.engine.now();
        if (world_.faults && now >= world_.plan.faulty_time) stop_faults();
        if (world_.faults && world_.random.chance(world_.plan.mishap)) mishap();
        if (world_.faults && world_.plan.freeloader && world_.random.chance(20)) {
            world_.consumer->stop_paying_until(now + milliseconds(world_.random.between(1'000, 20'000)));
        }
        if (!world_.faults && now >= world_.plan.faulty_time + kLastUse) world_.consumer->leave();
        world_.provider->tick();
        world_.provider->update_gate();
        world_.carry();
        world_.consumer->tick();
        if (!world_.faults) look_for_the_end(now);
        if (!ended_) world_.engine.after(kTick, [this] { tick(); });
    }

    void look_for_the_end(milliseconds now) {
        settled_in_ = now - world_.plan.faulty_time;
        ended_ = world_.consumer->is_gone() && world_.provider->is_settled() && world_.chain.is_idle();
        if (!ended_)
            world_.auditor.require(settled_in_ < kLimit, "ten minutes after the last fault not all is settled");
    }

    void make_blocks() {
        world_.engine.after(kBlockTime, [this] {
            const auto limit = world_.faults ? world_.random.below(4) : kWholeBlock;
            world_.chain.mine(world_.unix_now(), limit);
            look_at_chain();
            make_blocks();
        });
    }

    void look_at_chain() {
        world_.auditor.chain_shows(world_.chain.head(), world_.payer());
        world_.note("the chain has paid", world_.chain.head().lane(world_.payer(), kProvider).paid);
    }

    void stop_faults() {
        world_.faults = false;
        world_.link_down_until = {};
        for (auto* skewed : {&skew_consumer_, &skew_provider_}) *skewed = {};
        set_clocks();
        world_.provider->lose_chain_until({});
        world_.consumer->lose_chain_until({});
        world_.consumer->stop_paying_until({});
        if (!world_.provider->disk().is_usable() || !world_.provider->is_up()) restart_provider(std::nullopt);
        if (!world_.consumer->disk().is_usable() || !world_.consumer->is_up()) restart_consumer(std::nullopt);
        world_.provider->disk().mend();
        world_.consumer->disk().mend();
    }

    void mishap() {
        const auto kind = world_.random.below(22);
        world_.note("mishap", kind);
        const auto now = world_.engine.now();
        const milliseconds time(world_.random.between(100, 8'000));
        switch (kind) {
            case 0: return crash_provider(time);
            case 1: return crash_consumer(time);
            case 2:
                ++world_.tally.disk_failures;
                world_.provider->disk().break_down();
                return crash_later(time, true);
            case 3:
                ++world_.tally.disk_failures;
                world_.consumer->disk().break_down();
                return crash_later(time, false);
            case 4:
                provider_backup_ = world_.provider->disk().durable();
                consumer_backup_ = world_.consumer->disk().durable();
                return;
            case 5:
            case 16: return spend_elsewhere();
            case 6: world_.link_down_until = now + time; return;
            case 7: return reorganise();
            case 8: world_.provider->lose_chain_until(now + 2 * time); return;
            case 9: world_.consumer->lose_chain_until(now + 2 * time); return;
            case 10: return skew();
            case 11:
            case 19: return world_.consumer->forge();
            case 20: return world_.consumer->flood();
            case 21: return world_.random.chance(500) ? crash_provider(time) : crash_consumer(time);
            case 13: return top_up();
            case 12:
            case 14: return take_out();
            default: return world_.provider->release();
        }
    }

    void crash_provider(milliseconds time) {
        if (!world_.provider->is_up()) return;
        ++world_.tally.crashes;
        if (world_.provider->has_chain()) ++world_.tally.cut_chains;
        world_.provider->crash();
        const bool restore = provider_backup_ && world_.random.chance(700);
        auto backup = restore ? std::exchange(provider_backup_, std::nullopt) : std::nullopt;
        world_.engine.after(time, [this, backup] {
            if (!world_.provider->is_up()) restart_provider(backup);
        });
    }

    void crash_consumer(milliseconds time) {
        if (!world_.consumer->is_up()) return;
        ++world_.tally.crashes;
        if (world_.consumer->has_chain()) ++world_.tally.cut_chains;
        world_.consumer->crash();
        const bool restore = consumer_backup_ && world_.random.chance(700);
        auto backup = restore ? std::exchange(consumer_backup_, std::nullopt) : std::nullopt;
        world_.engine.after(time, [this, backup] {
            if (!world_.consumer->is_up()) restart_consumer(backup);
        });
    }

    void crash_later(milliseconds time, bool provider) {
        world_.engine.after(time, [this, provider, time] {
            if (!world_.faults) return;
            if (provider)
                crash_provider(time);
            else
                crash_consumer(time);
        });
    }

    void restart_provider(std::optional<ProviderLedger> backup) {
        if (world_.provider->is_up()) world_.provider->crash();
        if (backup) ++world_.tally.restores;
        world_.provider->start(std::move(backup));
    }

    void restart_consumer(std::optional<ConsumerLedger> backup) {
        if (world_.consumer->is_up()) world_.consumer->crash();
        if (backup) ++world_.tally.restores;
        world_.consumer->start(std::move(backup));
    }

    void reorganise() {
        ++world_.tally.reorganisations;
        world_.chain.reorganise(world_.random.between(1, kDeepest));
        look_at_chain();
    }

    void skew() {
        const auto far = static_cast<std::int64_t>(world_.random.below(601)) - 300;
        (world_.random.chance(500) ? skew_consumer_ : skew_provider_) = seconds(far);
        set_clocks();
    }

    void set_clocks() {
        world_.consumer->set_skew(skew_consumer_);
        world_.provider->set_skew(skew_provider_);
    }

    void submit(std::function<void(LanesModel&, UnixTime)> apply) {
        world_.chain.submit({world_.chain.fresh_id(), std::move(apply)});
    }

    void pay_in(Amount amount) {
        submit([payer = world_.payer(), amount](LanesModel& lanes, UnixTime) { lanes.deposit(payer, amount); });
    }

    void top_up() {
        pay_in(Amount(static_cast<std::uint64_t>(world_.plan.deposit.units()) / world_.random.between(1, 10)));
        world_.consumer->come_back();
    }

    /// The payer takes its money back, step by step.
    void take_out() {
        const auto payer = world_.payer();
        const auto free = world_.chain.head().account(payer).free;
        const Amount part(static_cast<std::uint64_t>(free.units()) / world_.random.between(1, 4));
        const auto kind = world_.random.below(4);
        if (kind == 0) ++world_.tally.exits;
        submit([payer, part, kind](LanesModel& lanes, UnixTime now) {
            if (kind == 0) lanes.request_exit(payer, part, now);
            if (kind == 1) lanes.withdraw(payer, now);
            if (kind == 2) lanes.request_release(payer, kProvider, now);
            if (kind == 3) lanes.release(payer, payer, kProvider, now);
        });
    }

    void spend_elsewhere() {
        if (!world_.plan.rival) return;
        const auto& contract = world_.chain.head();
        const auto lane = contract.lane(world_.payer(), kRival);
        const auto free = static_cast<std::uint64_t>(contract.account(world_.payer()).free.units());
        const auto total = lane.paid.plus_saturating(Amount(free / world_.random.between(1, 3)));
        const auto item = codec::settle_item(world_.signatures.sign({kRival, lane.epoch, total, total}));
        submit([item](LanesModel& lanes, UnixTime) { std::ignore = lanes.settle(kRival, {item}); });
    }

    /// Everybody takes out what is his; nothing is left, nothing is missing.
    void close_the_books() {
        auto contract = world_.chain.head();
        const auto payer = world_.payer();
        const auto lane = contract.lane(payer, kProvider);
        const auto lost = world_.provider->disk().durable().held.highest(lane.epoch).minus_saturating(lane.paid);
        if (!lost.is_zero()) ++world_.tally.uncovered;
        if (world_.plan.window > world_.plan.faulty_time + kLimit) {
            world_.auditor.require(lost <= world_.plan.payee_risk, "the provider loses more than its risk limit");
        }
        auto later = world_.unix_now();
        for (const auto& provider : {kProvider, kRival}) contract.request_release(payer, provider, later);
        later += 2 * world_.plan.window;
        for (const auto& provider : {kProvider, kRival}) contract.release(payer, payer, provider, later);
        contract.request_exit(payer, contract.account(payer).free, later);
        later += world_.plan.window;
        contract.withdraw(payer, later);
        world_.auditor.chain_shows(contract, payer);
        world_.auditor.require(contract.balance().is_zero(), "money is left in the contract that nobody can take");
        world_.note("the provider has earned", contract.earned(kProvider));
        world_.note("the payer took back", contract.withdrawn(payer));
    }

    World world_;
    bool ended_ = false;
    milliseconds settled_in_{};
    std::optional<ProviderLedger> provider_backup_;
    std::optional<ConsumerLedger> consumer_backup_;
    seconds skew_consumer_{0};
    seconds skew_provider_{0};
};

}  // namespace

Outcome simulate(std::uint64_t seed, Tally& tally, bool tell) {
    return Simulation(seed, tally, tell).run();
}

}  // namespace myst::sim
