// A party's disk: what was synced survives a crash, of the rest only a beginning may.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "engine.hpp"
#include "random.hpp"

namespace myst::sim {

/// Holds a `State` and changes it by writes. Writes that wait at the same time share one sync. After a sync has failed
/// every write fails, until the party is started anew.
template <class State>
class Disk {
public:
    using Write = std::function<void(State&)>;
    using Done = std::function<void(bool stored)>;

    Disk(Engine& engine, Random& random) : engine_(engine), random_(random) {}

    /// What a crash now would leave, at least.
    [[nodiscard]] const State& durable() const { return durable_; }
    [[nodiscard]] bool is_usable() const { return !failed_; }
    [[nodiscard]] bool is_idle() const { return pending_.empty(); }

    /// `done` is called after the sync, never before this returns, and not at all if the party crashes meanwhile.
    void write(Write write, Done done) {
        pending_.push_back({std::move(write), std::move(done)});
        if (pending_.size() > 1) return;
        engine_.after(milliseconds(random_.between(1, 15)), [this, life = life_] {
            if (life == life_) sync();
        });
    }

    /// The next sync fails, as on a full or broken disk.
    void break_down() { breaks_ = true; }
    /// Takes back a break-down that no sync has met yet.
    void mend() { breaks_ = failed_; }
    /// The party's process ends. The disk works again for the next one.
    void crash() {
        ++life_;
        keep_a_part();
        failed_ = breaks_ = false;
    }
    /// An old copy takes the place of what is there.
    void restore(State backup) { durable_ = std::move(backup); }

private:
    struct Pending {
        Write write;
        Done done;
    };

    void sync() {
        if (breaks_) failed_ = true;
        const auto waiting = failed_ ? keep_a_part() : std::exchange(pending_, {});
        for (const auto& each : waiting) {
            if (!failed_) each.write(durable_);
        }
        for (const auto& each : waiting) each.done(!failed_);
    }

    /// Some of the writes under way reach the disk although nobody is told.
    std::vector<Pending> keep_a_part() {
        auto waiting = std::exchange(pending_, {});
        const auto kept = random_.below(waiting.size() + 1);
        for (std::size_t i = 0; i < kept; ++i) waiting[i].write(durable_);
        return waiting;
    }

    Engine& engine_;
    Random& random_;
    State durable_;
    std::vector<Pending> pending_;
    std::uint64_t life_ = 0;
    bool breaks_ = false;
    bool failed_ = false;
};

}  // namespace myst::sim
