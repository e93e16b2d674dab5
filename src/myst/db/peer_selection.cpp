#include "myst/db/peer_selection.hpp"

#include <algorithm>
#include <map>

#include "myst/base/random_below.hpp"

namespace myst::db {
namespace {

/// A candidate that may be taken, and for which of its authors.
struct Free {
    const PeerCandidate* candidate;
    NodeKey author;
};

bool is_free(const PeerCandidate& candidate, const std::vector<PeerInUse>& in_use) {
    return std::none_of(in_use.begin(), in_use.end(), [&](const PeerInUse& peer) {
        if (peer.group == candidate.group) return true;
        // A name is one host, whatever it stood for; private literals differ by their ports.
        return peer.url.host == candidate.url.host && !literal_of(candidate.url);
    });
}

/// Its first author of whom no peer is in use.
std::optional<NodeKey> free_author(const PeerCandidate& candidate, const std::vector<PeerInUse>& in_use) {
    for (const auto& author : candidate.authors) {
        const auto is_his = [&](const PeerInUse& peer) { return peer.author == author; };
        if (std::none_of(in_use.begin(), in_use.end(), is_his)) return author;
    }
    return std::nullopt;
}

std::vector<Free> free_ones(const std::vector<PeerCandidate>& candidates, const std::vector<PeerInUse>& in_use) {
    std::vector<Free> result;
    for (const auto& candidate : candidates) {
        if (!is_free(candidate, in_use)) continue;
        if (const auto author = free_author(candidate, in_use)) result.push_back({&candidate, *author});
    }
    return result;
}

bool wants_registered(const std::vector<PeerInUse>& in_use) {
    std::size_t found = 0;
    std::size_t registered = 0;
    for (const auto& peer : in_use) {
        if (!peer.author) continue;
        ++found;
        if (peer.registered) ++registered;
    }
    return 2 * registered <= found;
}

}  // namespace

std::optional<ChosenPeer> choose_peer(const std::vector<PeerCandidate>& candidates,
                                      const std::vector<PeerInUse>& in_use, Rng& rng) {
    auto open = free_ones(candidates, in_use);
    const auto registered = [](const Free& free) { return free.candidate->registered; };
    if (wants_registered(in_use) && std::any_of(open.begin(), open.end(), registered)) {
        std::erase_if(open, [&](const Free& free) { return !registered(free); });
    }
    if (open.empty()) return std::nullopt;
    std::map<std::string, std::vector<Free>> groups;
    for (const auto& free : open) groups[free.candidate->group].push_back(free);
    auto group = groups.begin();
    std::advance(group, static_cast<std::ptrdiff_t>(random_below(rng, groups.size())));
    const Free& chosen = group->second[random_below(rng, group->second.size())];
    return ChosenPeer{*chosen.candidate, chosen.author};
}

std::optional<std::size_t> choose_leaver(const std::vector<PeerCandidate>& candidates,
                                         const std::vector<PeerInUse>& in_use, Rng& rng) {
    std::vector<std::size_t> may_leave;
    for (std::size_t i = 0; i < in_use.size(); ++i) {
        if (!in_use[i].author || !in_use[i].connected) continue;
        auto others = in_use;
        others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
        const auto open = free_ones(candidates, others);
        const auto another = [&](const Free& free) { return !(free.candidate->url == in_use[i].url); };
        if (std::any_of(open.begin(), open.end(), another)) may_leave.push_back(i);
    }
    if (may_leave.empty()) return std::nullopt;
    return may_leave[random_below(rng, may_leave.size())];
}

}  // namespace myst::db
