#include "myst/vpn/exit_meters.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>

#include "myst/vpn/builtin_wireguard.hpp"
#include "myst/vpn/exit_rules.hpp"

namespace myst::vpn {
namespace {

constexpr int kSettleRounds = 4;
constexpr std::uint64_t kMaxQuota = std::numeric_limits<std::int64_t>::max();

class FilterMeters final : public ExitMeters {
public:
    explicit FilterMeters(sys::NftObjects objects) : objects_(std::move(objects)) {}

    std::string rules_to_add(const SessionId& id, Ipv4 address) const override {
        return add_meter_rules(id, address) + admit_rules(address);
    }
    std::string rules_to_remove(const SessionId& id, Ipv4 address) const override {
        return dismiss_rules(address) + remove_meter_rules(id, address);
    }
    std::shared_ptr<wireguard::Meter> add(const SessionId&) override { return nullptr; }
    void remove(const SessionId&) override {}

    Result<> set_allowance(const SessionId& id, std::uint64_t bytes) override {
        // The kernel's quota counts every packet it is asked about, also those it then refuses. So its limit is the
        // allowance plus what was refused so far: a packet passes while accepted + refused <= bytes +
        // refused_when_read. Refused bytes only grow, so a stale reading can make the gate too narrow, never too wide;
        // what was refused between reading and setting is made good in the next round.
        auto refused = objects_.counter(dropped_counter(id));
        if (!refused) return forward_error(refused);
        for (int round = 0; round < kSettleRounds; ++round) {
            const auto room = kMaxQuota - std::min(*refused, kMaxQuota);
            auto set = objects_.set_quota(quota_name(id), std::min(bytes, room) + *refused);
            if (!set) return set;
            auto now = objects_.counter(dropped_counter(id));
            if (!now) return forward_error(now);
            if (*now == *refused) break;
            refused = now;
        }
        return {};
    }

    Result<Readings> counters() override {
        auto all = objects_.counters();
        if (!all) return forward_error(all);
        std::map<SessionId, ports::TrafficCounters> by_peer;
        for (const auto& [name, bytes] : *all) {
            const auto parsed = parse_counter_name(name);
            if (!parsed) continue;
            if (parsed->kind == 'u') by_peer[parsed->id].up = bytes;
            if (parsed->kind == 'd') by_peer[parsed->id].down = bytes;
        }
        return Readings(by_peer.begin(), by_peer.end());
    }

private:
    sys::NftObjects objects_;
};

class DeviceMeters final : public ExitMeters {
public:
    explicit DeviceMeters(Ipv4 garden) : garden_(garden) {}

    std::string rules_to_add(const SessionId&, Ipv4 address) const override { return admit_rules(address); }
    std::string rules_to_remove(const SessionId&, Ipv4 address) const override { return dismiss_rules(address); }
    std::shared_ptr<wireguard::Meter> add(const SessionId& id) override {
        auto meter = make_meter(garden_, true);
        const std::lock_guard lock(mutex_);
        meters_[id] = meter;
        return meter;
    }
    void remove(const SessionId& id) override {
        const std::lock_guard lock(mutex_);
        meters_.erase(id);
    }

    Result<> set_allowance(const SessionId& id, std::uint64_t bytes) override {
        const std::lock_guard lock(mutex_);
        const auto found = meters_.find(id);
        if (found == meters_.end()) return fail(ErrorCode::not_found, "session " + id.hex() + " has no meter");
        found->second->set_allowance(bytes);
        return {};
    }
    Result<Readings> counters() override {
        const std::lock_guard lock(mutex_);
        Readings readings;
        readings.reserve(meters_.size());
        for (const auto& [id, meter] : meters_) {
            const auto reading = meter->read();
            readings.push_back({id, {.up = reading.received.bytes, .down = reading.sent.bytes}});
        }
        return readings;
    }

private:
    Ipv4 garden_;
    std::mutex mutex_;
    std::map<SessionId, std::shared_ptr<wireguard::Meter>> meters_;
};

}  // namespace

std::unique_ptr<ExitMeters> filter_meters(sys::NftObjects objects) {
    return std::make_unique<FilterMeters>(std::move(objects));
}

std::unique_ptr<ExitMeters> device_meters(Ipv4 garden) {
    return std::make_unique<DeviceMeters>(garden);
}

}  // namespace myst::vpn
