#include "myst/wireguard/keypair_slots.hpp"

namespace myst::wireguard {

void KeypairSlots::add_as_initiator(KeypairPtr keypair, MonotonicTime now) {
    // An unconfirmed session of the peer's initiation may be confirmed yet: the two initiations have crossed.
    if (next_) {
        replace(previous_, std::move(next_), now);
        replace(current_, std::move(keypair), now);
    } else {
        replace(previous_, std::move(current_), now);
        current_ = std::move(keypair);
    }
}

void KeypairSlots::add_as_responder(KeypairPtr keypair, MonotonicTime now) {
    replace(next_, std::move(keypair), now);
    replace(previous_, nullptr, now);
}

bool KeypairSlots::confirm(const Keypair& used, MonotonicTime now) {
    if (next_.get() != &used) return false;
    replace(previous_, std::move(current_), now);
    current_ = std::move(next_);
    return true;
}

void KeypairSlots::clear(MonotonicTime now) {
    for (auto* slot : {&previous_, &current_, &next_}) replace(*slot, nullptr, now);
}

void KeypairSlots::replace(KeypairPtr& slot, KeypairPtr keypair, MonotonicTime now) {
    if (slot) {
        indexes_.remove(slot->indexes().local, now);
        slot->retire();
    }
    slot = std::move(keypair);
}

}  // namespace myst::wireguard
