// What to do when the kernel does not send a message: pure, told errors and the time. The reasons are in
// docs/dataplane.md (kernel traps).
#pragma once

#include <vector>

#include "myst/base/clock.hpp"
#include "myst/sys/socket_address.hpp"

namespace myst::sys {

/// Learns from the errors of one socket. One thread.
class SendPolicy {
public:
    static constexpr seconds kApartFor{60};
    static constexpr std::size_t kMaxApart = 64;  ///< peers remembered; one more replaces the oldest

    enum class Next : std::uint8_t {
        again,           ///< the call was interrupted
        without_source,  ///< the source may be no address of ours any more
        apart,           ///< each segment as a datagram of its own
        lost,            ///< nothing: the next message may well go out
        give_up,         ///< the socket is broken
    };

    /// What was to be sent.
    struct Attempt {
        const SocketAddress& peer;
        bool several = false;  ///< segments
        bool sourced = false;  ///< with a source
    };

    explicit SendPolicy(bool joins) : joins_(joins) {}

    /// Whether messages of several segments to this peer go out as one.
    [[nodiscard]] bool joins(const SocketAddress& peer, MonotonicTime now);
    /// Whether `joins(peer, now)` would say yes for every peer at any time, so that nobody need look at a clock.
    [[nodiscard]] bool joins_always() const { return joins_ && apart_.empty(); }

    /// Sending failed with this errno.
    [[nodiscard]] Next after(int error, const Attempt& attempt, MonotonicTime now);

private:
    struct Apart {
        SocketAddress peer;
        MonotonicTime until;
    };
    void remember(const SocketAddress& peer, MonotonicTime now);

    bool joins_;
    std::vector<Apart> apart_;  ///< the oldest first
};

}  // namespace myst::sys
