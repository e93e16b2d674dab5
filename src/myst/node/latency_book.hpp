// How long providers took to answer, as far as it was measured lately.
#pragma once

#include <map>
#include <optional>

#include "myst/base/bytes.hpp"
#include "myst/base/clock.hpp"

namespace myst::node {

/// In memory only. Forgets answers after five minutes, silence after one, and beyond kMost the oldest. Control thread.
class LatencyBook {
public:
    static constexpr std::size_t kMost = 1'000;

    /// `clock` outlives the book.
    explicit LatencyBook(const Clock& clock) : clock_(clock) {}

    /// `latency`: from question to answer; none if no answer came.
    void note(const NodeKey& provider, std::optional<milliseconds> latency);
    /// Whether it was measured lately, with or without an answer.
    [[nodiscard]] bool knows(const NodeKey& provider) const;
    /// None if it is not known, or did not answer.
    [[nodiscard]] std::optional<milliseconds> of(const NodeKey& provider) const;

private:
    struct Entry {
        std::optional<milliseconds> latency;
        MonotonicTime measured;
    };
    [[nodiscard]] bool is_fresh(const Entry& entry) const;

    const Clock& clock_;
    std::map<NodeKey, Entry> entries_;
};

}  // namespace myst::node
