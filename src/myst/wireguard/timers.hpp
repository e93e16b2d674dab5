// The deadlines of one peer (docs/wireguard.md, "Timers"), named as in the Linux kernel.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "myst/base/clock.hpp"
#include "myst/wireguard/constants.hpp"

namespace myst::wireguard {

using Deadline = std::optional<MonotonicTime>;

/// Takes a deadline that has been reached away, and says whether it had been.
[[nodiscard]] bool take_due(Deadline& deadline, MonotonicTime now);

/// Events move the deadlines; whoever owns them looks which are due. Both are only about times: what is to be sent is
/// decided elsewhere. One thread.
class Timers {
public:
    Deadline retransmit;            ///< another initiation
    Deadline keepalive;             ///< an answer is owed for data that came
    Deadline new_handshake;         ///< data was sent and nothing came back
    Deadline zero_keys;             ///< no new key for long
    Deadline persistent_keepalive;  ///< nothing went either way

    /// Zero turns it off.
    void set_persistent_interval(seconds interval, MonotonicTime now);
    [[nodiscard]] seconds persistent_interval() const { return interval_; }

    void data_sent(MonotonicTime now, milliseconds jitter);
    void data_received(MonotonicTime now);
    /// Any authentic packet, handshakes and keepalives included; comes before the two above.
    void anything_sent(MonotonicTime now);
    void anything_received(MonotonicTime now);
    void initiation_sent(MonotonicTime now, milliseconds jitter) { retransmit = now + kRekeyTimeout + jitter; }
    void handshake_complete() { retransmit.reset(); }
    void session_derived(MonotonicTime now) { zero_keys = now + kZeroKeysAfter; }
    void attempts_ended(MonotonicTime now);
    void clear();

    /// The earliest of all.
    [[nodiscard]] Deadline next() const;

private:
    void traversed(MonotonicTime now);
    seconds interval_{0};
};

}  // namespace myst::wireguard
