#include "myst/wireguard/timers.hpp"

namespace myst::wireguard {

bool take_due(Deadline& deadline, MonotonicTime now) {
    if (!deadline || now < *deadline) return false;
    deadline.reset();
    return true;
}

void Timers::set_persistent_interval(seconds interval, MonotonicTime now) {
    interval_ = interval;
    persistent_keepalive.reset();
    traversed(now);
}

void Timers::data_sent(MonotonicTime now, milliseconds jitter) {
    if (!new_handshake) new_handshake = now + kKeepaliveTimeout + kRekeyTimeout + jitter;
}

void Timers::data_received(MonotonicTime now) {
    if (!keepalive) keepalive = now + kKeepaliveTimeout;
}

void Timers::anything_sent(MonotonicTime now) {
    keepalive.reset();
    traversed(now);
}

void Timers::anything_received(MonotonicTime now) {
    new_handshake.reset();
    traversed(now);
}

void Timers::attempts_ended(MonotonicTime now) {
    keepalive.reset();
    if (!zero_keys) zero_keys = now + kZeroKeysAfter;
}

void Timers::clear() {
    for (auto* deadline : {&retransmit, &keepalive, &new_handshake, &zero_keys}) deadline->reset();
}

Deadline Timers::next() const {
    Deadline earliest;
    for (const auto& deadline : {retransmit, keepalive, new_handshake, zero_keys, persistent_keepalive}) {
        if (deadline && (!earliest || *deadline < *earliest)) earliest = deadline;
    }
    return earliest;
}

void Timers::traversed(MonotonicTime now) {
    if (interval_ > seconds{0}) persistent_keepalive = now + interval_;
}

}  // namespace myst::wireguard
