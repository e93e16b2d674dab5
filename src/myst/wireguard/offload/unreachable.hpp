// What a host is told whose packet leads to no peer: ICMP "destination unreachable" (RFC 792, RFC 4443).
#pragma once

#include <optional>

#include "myst/base/bytes.hpp"
#include "myst/base/token_bucket.hpp"

namespace myst::wireguard {

/// The answer to an IP packet: host unreachable (IPv4), address unreachable (IPv6), as if from where the packet was to
/// go, with as much of the packet as routers quote. None: it is no IP packet, or one that gets no such answer (errors
/// of ICMP, later fragments, from or to more than one host: RFC 1122 section 3.2.2, RFC 4443 section 2.4).
[[nodiscard]] std::optional<Bytes> make_unreachable(BytesView packet);

/// Such answers, at most 50 at once and 100 per second, whoever they are for.
class Refusals {
public:
    /// As make_unreachable. None also if too many were told of late.
    [[nodiscard]] std::optional<Bytes> answer(BytesView packet, MonotonicTime now);

private:
    TokenBucket allowed_{100, 50, {}};
};

}  // namespace myst::wireguard
