// A rate limit that allows bursts.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "myst/base/clock.hpp"

namespace myst {

/// `per_second` tokens flow in, up to `burst`; every action takes one, and one that turns out dear more.
class TokenBucket {
public:
    TokenBucket(std::uint32_t per_second, std::uint32_t burst, MonotonicTime now)
        : per_second_(per_second), full_(std::int64_t{burst} * kMicro), level_(full_), last_(now) {}

    /// False: empty, the action must wait or be refused. Tokens come back as time passes.
    [[nodiscard]] bool take(MonotonicTime now) {
        const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(now - last_);
        // A long pause fills the bucket anyway; the bound keeps the product far from overflow.
        const auto counted = std::clamp<std::int64_t>(passed.count(), 0, 3600 * kMicro);
        level_ = std::min(full_, level_ + counted * per_second_);
        last_ = now;
        if (level_ < kMicro) return false;
        level_ -= kMicro;
        return true;
    }

    /// Puts one token back: its action does not count after all.
    void give_back() { level_ = std::min(full_, level_ + kMicro); }

    /// Takes tokens for what was done already; the level may fall below zero, and later actions wait longer.
    void charge(std::size_t tokens) {
        level_ -= static_cast<std::int64_t>(std::min<std::size_t>(tokens, kMaxCharge)) * kMicro;
    }

private:
    static constexpr std::size_t kMaxCharge = 100'000;
    static constexpr std::int64_t kMicro = 1'000'000;
    std::int64_t per_second_;
    std::int64_t full_;   ///< millionths of a token
    std::int64_t level_;  ///< millionths of a token
    MonotonicTime last_;
};

}  // namespace myst
