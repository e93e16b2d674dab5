#include "myst/wireguard/replay_filter.hpp"

#include <algorithm>

#include "myst/wireguard/constants.hpp"

namespace myst::wireguard {

bool ReplayFilter::plausible(std::uint64_t counter) const {
    if (counter >= kRejectAfterMessages) return false;
    if (counter > highest_) return true;
    return highest_ - counter <= kWindow && (word_of(counter) >> (counter % 64) & 1) == 0;
}

bool ReplayFilter::accept(std::uint64_t counter) {
    if (!plausible(counter)) return false;
    if (counter > highest_) {
        // Words between the old and the new highest counter hold marks of a round ago.
        const auto fresh = std::min<std::uint64_t>(counter / 64 - highest_ / 64, kWords);
        for (std::uint64_t i = 1; i <= fresh; ++i) words_[(highest_ / 64 + i) % kWords] = 0;
        highest_ = counter;
    }
    words_[counter / 64 % kWords] |= std::uint64_t{1} << (counter % 64);
    return true;
}

}  // namespace myst::wireguard
