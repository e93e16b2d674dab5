#include "myst/node/rate_meter.hpp"

#include <algorithm>

namespace myst::node {
namespace {

constexpr milliseconds kWindow{2'000};
constexpr milliseconds kSpacing{50};

}  // namespace

void RateMeter::observe(MonotonicTime now, std::uint64_t total) {
    if (!readings_.empty() && total < readings_.back().total) readings_.clear();
    while (!readings_.empty() && now - readings_.front().time > kWindow) readings_.pop_front();
    // The newest reading moves with the clock until it is far enough from the one before.
    const bool is_close = readings_.size() >= 2 && now - readings_[readings_.size() - 2].time < kSpacing;
    if (is_close) readings_.pop_back();
    readings_.push_back({now, total});
}

std::uint64_t RateMeter::per_second(MonotonicTime now) const {
    const auto is_recent = [now](const Reading& reading) { return now - reading.time <= kWindow; };
    const auto first = std::find_if(readings_.begin(), readings_.end(), is_recent);
    if (first == readings_.end()) return 0;
    const auto span = std::chrono::duration_cast<milliseconds>(now - first->time).count();
    if (span <= 0) return 0;
    return (readings_.back().total - first->total) * 1000 / static_cast<std::uint64_t>(span);
}

}  // namespace myst::node
