// Which counters of a session have been seen (RFC 6479).
#pragma once

#include <array>
#include <cstdint>

namespace myst::wireguard {

/// A ring of bits for the newest counters. Marks must be set only for authentic packets. One thread.
class ReplayFilter {
public:
    /// Counters up to this much below the highest one are told apart; older ones are refused.
    static constexpr std::uint64_t kWindow = 8128;

    /// Whether `accept` might take the counter; saves opening packets that are too old or were seen already.
    [[nodiscard]] bool plausible(std::uint64_t counter) const;
    /// Marks the counter. False: it was marked before, is too old, or is beyond what a key may be used for.
    [[nodiscard]] bool accept(std::uint64_t counter);

private:
    static constexpr std::size_t kWords = 128;
    [[nodiscard]] std::uint64_t word_of(std::uint64_t counter) const { return words_[counter / 64 % kWords]; }

    std::array<std::uint64_t, kWords> words_{};
    std::uint64_t highest_ = 0;
};

}  // namespace myst::wireguard
