#include "myst/wireguard/meter.hpp"

#include <algorithm>

namespace myst::wireguard {
namespace {

// Nothing here orders other memory: each number is whole by itself, and `left_` alone decides.
constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::int64_t kFull = static_cast<std::int64_t>(Meter::kGardenBurst * kSecond / Meter::kGardenRate);
/// No reservation is greater; keeps products far from overflow.
constexpr std::uint64_t kMost = std::uint64_t{1} << 32;

/// How long the garden's tokens for so many bytes flow, rounded up.
std::int64_t time_of(std::uint64_t bytes) {
    return static_cast<std::int64_t>((std::min(bytes, kMost) * kSecond + Meter::kGardenRate - 1) / Meter::kGardenRate);
}

}  // namespace

void Meter::Total::add(const PacketCount& count) {
    if (count.packets == 0) return;
    packets.fetch_add(count.packets, kRelaxed);
    bytes.fetch_add(count.bytes, kRelaxed);
}

PacketCount Meter::Total::read() const {
    return {packets.load(kRelaxed), bytes.load(kRelaxed)};
}

Meter::Meter(const MeterSettings& settings) : settings_(settings), garden_since_(-kFull) {}

void Meter::set_allowance(std::uint64_t bytes) {
    const auto now = static_cast<std::int64_t>(std::min(bytes, kMaxAllowance));
    // Two callers at once each move what is left by their own difference; the sum is that of the later one.
    left_.fetch_add(now - allowance_.exchange(now, kRelaxed), kRelaxed);
}

MeterReading Meter::read() const {
    return {received_.read(), sent_.read(), joined_.load(kRelaxed), refused_.read()};
}

bool Meter::has_left(std::uint64_t bytes) const {
    if (!settings_.gated) return true;
    const auto left = left_.load(kRelaxed);
    return left > 0 && static_cast<std::uint64_t>(left) >= bytes;
}

std::uint64_t Meter::reserve(std::uint64_t wanted) {
    if (!settings_.gated) return wanted;
    auto left = left_.load(kRelaxed);
    for (;;) {
        if (left <= 0) return 0;
        const auto granted = std::min(wanted, static_cast<std::uint64_t>(left));
        if (left_.compare_exchange_weak(left, left - static_cast<std::int64_t>(granted), kRelaxed)) return granted;
    }
}

void Meter::give_back(std::uint64_t bytes) {
    if (settings_.gated && bytes > 0) left_.fetch_add(static_cast<std::int64_t>(bytes), kRelaxed);
}

std::uint64_t Meter::reserve_garden(std::uint64_t wanted, GardenUse use, MonotonicTime now) {
    if (!settings_.garden || wanted == 0) return 0;
    const std::uint64_t kept = use == GardenUse::small ? 0 : kGardenBurst / 2;
    const std::int64_t time = std::chrono::nanoseconds(now.time_since_epoch()).count();
    auto since = garden_since_.load(kRelaxed);
    for (;;) {
        const auto begin = std::max(since, time - kFull);
        if (begin >= time) return 0;
        const auto level = static_cast<std::uint64_t>(time - begin) * kGardenRate / kSecond;
        if (level <= kept) return 0;
        const auto granted = std::min(wanted, level - kept);
        if (garden_since_.compare_exchange_weak(since, begin + time_of(granted), kRelaxed)) return granted;
    }
}

void Meter::give_back_garden(std::uint64_t bytes) {
    // Rounded down: together with the reservation never less than what was used.
    const auto time = static_cast<std::int64_t>(std::min(bytes, kMost) * kSecond / kGardenRate);
    if (time > 0) garden_since_.fetch_sub(time, kRelaxed);
}

}  // namespace myst::wireguard
