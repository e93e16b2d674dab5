// Which authors are registered on chain, as far as this node knows; remembered, so that not every record costs a
// question.
#pragma once

#include <deque>
#include <unordered_map>

#include "myst/base/clock.hpp"
#include "myst/db/record_store.hpp"
#include "myst/ports/provider_registry.hpp"

namespace myst::db {

/// Control thread.
class AuthorStanding {
public:
    /// `registry`: null if this node has no index of the chain, and everybody is a stranger. It and `clock` must
    /// outlive this.
    AuthorStanding(ports::ProviderRegistry* registry, const Clock& clock) : registry_(registry), clock_(clock) {}

    /// While the registry cannot be read an author is what he last was, at first a stranger.
    [[nodiscard]] Task<Standing> of(NodeKey author);
    /// Whether there is a registry at all.
    [[nodiscard]] bool has_registry() const { return registry_ != nullptr; }
    /// A page of all who are registered; see ports::ProviderRegistry::registered. unavailable without a registry.
    [[nodiscard]] Task<Result<std::vector<ports::RegisteredProvider>>> registered(Address after, std::size_t limit);

private:
    struct Known {
        Standing standing{};
        MonotonicTime until{};
    };
    void remember(const NodeKey& author, Standing standing);

    ports::ProviderRegistry* registry_;
    const Clock& clock_;
    std::unordered_map<NodeKey, Known, FixedBytesHash> known_;
    std::deque<NodeKey> order_;  ///< the keys of `known_`, oldest first
};

}  // namespace myst::db
