// The same behaviour as the library's structures, in the simplest way there is.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "myst/wireguard/allowed_ips.hpp"
#include "myst/wireguard/replay_filter.hpp"

namespace myst::wireguard::test {

class NaiveReplayFilter {
public:
    bool accept(std::uint64_t counter) {
        if (counter >= kRejectAfterMessages) return false;
        if (!seen_.empty() && *seen_.rbegin() > counter && *seen_.rbegin() - counter > ReplayFilter::kWindow)
            return false;
        return seen_.insert(counter).second;
    }

private:
    std::set<std::uint64_t> seen_;
};

class NaiveAllowedIps {
public:
    void insert(const IpPrefix& prefix, PeerId peer) { owners_[prefix] = peer; }
    void remove(const IpPrefix& prefix, PeerId peer) {
        std::erase_if(owners_, [&](const auto& entry) { return entry.first == prefix && entry.second == peer; });
    }
    void remove_all(PeerId peer) {
        std::erase_if(owners_, [&](const auto& entry) { return entry.second == peer; });
    }
    [[nodiscard]] std::optional<PeerId> find(const IpAddress& address) const {
        std::optional<PeerId> best;
        int longest = -1;
        for (const auto& [prefix, peer] : owners_) {
            if (!prefix.contains(address) || prefix.length <= longest) continue;
            longest = prefix.length;
            best = peer;
        }
        return best;
    }
    [[nodiscard]] std::vector<IpPrefix> prefixes_of(PeerId peer) const {
        std::vector<IpPrefix> prefixes;
        for (const auto& [prefix, owner] : owners_) {
            if (owner == peer) prefixes.push_back(prefix);
        }
        return prefixes;
    }

private:
    std::map<IpPrefix, PeerId> owners_;
};

}  // namespace myst::wireguard::test
