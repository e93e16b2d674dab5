#include "myst/wireguard/index_table.hpp"

#include <array>

#include "myst/base/check.hpp"
#include "myst/wireguard/byte_order.hpp"

namespace myst::wireguard {

std::uint32_t IndexTable::add(PeerId peer, MonotonicTime now) {
    release_rested(now);
    for (;;) {
        std::array<std::uint8_t, 4> bytes{};
        rng_.fill(bytes);
        const auto index = load_little_endian<std::uint32_t>(bytes);
        if (resting_.contains(index)) continue;
        const auto [entry, fresh] = entries_.insert(index);
        if (!fresh) continue;
        entry->peer = peer;
        return index;
    }
}

void IndexTable::attach(std::uint32_t index, KeypairPtr keypair) {
    auto* entry = entries_.find(index);
    CHECK(entry != nullptr);
    entry->keypair = std::move(keypair);
}

void IndexTable::remove(std::uint32_t index, MonotonicTime now) {
    release_rested(now);
    CHECK(entries_.erase(index).has_value());
    resting_.insert(index);
    queue_.push_back({index, now + kIndexGrace});
}

const IndexTable::Entry* IndexTable::find(std::uint32_t index) const {
    return entries_.find(index);
}

void IndexTable::release_rested(MonotonicTime now) {
    while (!queue_.empty() && (queue_.front().until <= now || queue_.size() >= kMaxResting)) {
        resting_.erase(queue_.front().index);
        queue_.pop_front();
    }
}

}  // namespace myst::wireguard
