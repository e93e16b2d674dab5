#include "myst/wireguard/source_limiter.hpp"

namespace myst::wireguard {
namespace {

/// A bucket that nobody touched for this long is full again, so forgetting it changes nothing.
constexpr seconds kQuiet{1};

}  // namespace

bool SourceLimiter::allow(const IpAddress& source, MonotonicTime now) {
    const auto key = IpPrefix::of(source, source.version == IpAddress::Version::v4 ? 32 : 64);
    auto found = sources_.find(key);
    if (found == sources_.end()) {
        if (sources_.size() >= kMaxSources) forget_quiet_ones(now);
        if (sources_.size() >= kMaxSources) return false;
        const TokenBucket full(kHandshakesPerSource, kHandshakeBurst, now);
        found = sources_.emplace(key, Source{full, now}).first;
    }
    found->second.last = now;
    return found->second.bucket.take(now);
}

void SourceLimiter::forget_quiet_ones(MonotonicTime now) {
    // Walking the table for every message would be what an attacker wants.
    if (swept_ && now - *swept_ < milliseconds(250)) return;
    swept_ = now;
    std::erase_if(sources_, [&](const auto& entry) { return now - entry.second.last >= kQuiet; });
}

}  // namespace myst::wireguard
