#include "myst/wireguard/keypair.hpp"

namespace myst::wireguard {
std::optional<std::uint64_t> Keypair::take_counters(std::uint64_t count) {
    if (retired_ || next_counter_ >= kRejectAfterMessages || count > kRejectAfterMessages - next_counter_) {
        return std::nullopt;
    }
    const auto first = next_counter_;
    next_counter_ += count;
    return first;
}

void Keypair::retire() {
    retired_ = true;
    *keys_ = SessionKeys{};
}

}  // namespace myst::wireguard
