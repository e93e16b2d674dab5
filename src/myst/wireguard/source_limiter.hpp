// How many handshakes one source may ask for while the device is busy.
#pragma once

#include <map>
#include <optional>

#include "myst/base/token_bucket.hpp"
#include "myst/wireguard/constants.hpp"
#include "myst/wireguard/endpoint.hpp"

namespace myst::wireguard {

/// A token bucket per source: an IPv4 address, or an IPv6 /64. Holds kMaxSources at most; when it is full of sources
/// heard of within the last second, new ones are refused. One thread.
class SourceLimiter {
public:
    /// False: too many from there.
    [[nodiscard]] bool allow(const IpAddress& source, MonotonicTime now);
    [[nodiscard]] std::size_t size() const { return sources_.size(); }

private:
    struct Source {
        TokenBucket bucket;
        MonotonicTime last;
    };
    void forget_quiet_ones(MonotonicTime now);

    std::map<IpPrefix, Source> sources_;
    std::optional<MonotonicTime> swept_;
};

}  // namespace myst::wireguard
