// What happened in a run, step by step: one number for all of it, and a story for whoever looks for a cause.
#pragma once

#include <iostream>

#include "myst/base/amount.hpp"
#include "myst/base/clock.hpp"

namespace myst::sim {

/// Two runs are the same if, and but for chance only if, their hashes are.
class Trace {
public:
    /// `tell`: print every step.
    explicit Trace(bool tell) : tell_(tell) {}

    /// `what` is one of few texts, in the order of the story; `value` says how much or which.
    void note(milliseconds now, const char* what, std::uint64_t value) {
        for (const char* c = what; *c != 0; ++c) mix(static_cast<std::uint64_t>(*c));
        mix(static_cast<std::uint64_t>(now.count()));
        mix(value);
        if (tell_) std::cout << now.count() << " ms: " << what << ' ' << value << '\n';
    }
    [[nodiscard]] std::uint64_t hash() const { return hash_; }

private:
    void mix(std::uint64_t value) {
        hash_ = (hash_ ^ value) * 0x100000001b3ULL;
        hash_ ^= hash_ >> 29;
    }

    bool tell_;
    std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};

}  // namespace myst::sim
