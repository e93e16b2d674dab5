// Who is registered as a provider, for those who meet node keys, not addresses. Only a node with its own index of the
// chain can tell: the contract keeps no list.
#pragma once

#include <cstddef>
#include <vector>

#include "myst/ports/chain.hpp"

namespace myst::ports {

/// An entry of the registry with the address that made it.
struct RegisteredProvider {
    Address provider;
    ProviderState state;
    bool operator==(const RegisteredProvider&) const = default;
};

/// Control thread. Every call fails with unavailable while the chain is not known up to date.
class ProviderRegistry {
public:
    virtual ~ProviderRegistry() = default;

    /// Whether somebody has put down a stake for this node key. It is not said that the key's holder agrees: anybody
    /// may register any key. Leaving ends the registration when the stake is taken back, not when it is announced.
    [[nodiscard]] virtual Task<Result<bool>> is_registered(NodeKey node_key) = 0;
    /// Entries with an address above `after`, in the order of addresses, at most `limit`: the zero address begins, and
    /// the last address of an answer asks for the next. Two entries may hold the same node key.
    [[nodiscard]] virtual Task<Result<std::vector<RegisteredProvider>>> registered(Address after,
                                                                                   std::size_t limit) = 0;
};

}  // namespace myst::ports
