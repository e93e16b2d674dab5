#include "myst/node/latency_book.hpp"

#include <algorithm>

namespace myst::node {
namespace {

constexpr seconds kAnswerLife{300};
constexpr seconds kSilenceLife{60};

}  // namespace

void LatencyBook::note(const NodeKey& provider, std::optional<milliseconds> latency) {
    entries_.insert_or_assign(provider, Entry{latency, clock_.now()});
    if (entries_.size() <= kMost) return;
    std::erase_if(entries_, [this](const auto& entry) { return !is_fresh(entry.second); });
    if (entries_.size() <= kMost) return;
    const auto earlier = [](const auto& a, const auto& b) { return a.second.measured < b.second.measured; };
    entries_.erase(std::min_element(entries_.begin(), entries_.end(), earlier));
}

bool LatencyBook::is_fresh(const Entry& entry) const {
    return clock_.now() - entry.measured <= (entry.latency ? kAnswerLife : kSilenceLife);
}

bool LatencyBook::knows(const NodeKey& provider) const {
    const auto found = entries_.find(provider);
    return found != entries_.end() && is_fresh(found->second);
}

std::optional<milliseconds> LatencyBook::of(const NodeKey& provider) const {
    const auto found = entries_.find(provider);
    return found != entries_.end() && is_fresh(found->second) ? found->second.latency : std::nullopt;
}

}  // namespace myst::node
