// A registry of providers, for tests.
#pragma once

#include <set>

#include "myst/ports/provider_registry.hpp"

namespace myst::db::test {

/// Registered is who is in `keys`.
class FakeRegistry final : public ports::ProviderRegistry {
public:
    std::set<NodeKey> keys;
    bool unavailable = false;
    int asked = 0;  ///< for single keys

    [[nodiscard]] Task<Result<bool>> is_registered(NodeKey node_key) override {
        ++asked;
        if (unavailable) co_return fail(ErrorCode::unavailable, "the chain index is at block 1 of 2");
        co_return keys.contains(node_key);
    }
    /// The n-th key, from 1 on, has the address n.
    [[nodiscard]] Task<Result<std::vector<ports::RegisteredProvider>>> registered(Address after,
                                                                                  std::size_t limit) override {
        if (unavailable) co_return fail(ErrorCode::unavailable, "the chain index is at block 1 of 2");
        std::vector<ports::RegisteredProvider> page;
        std::uint8_t n = 0;
        for (const auto& key : keys) {
            ports::RegisteredProvider entry;
            entry.provider.bytes.back() = ++n;
            entry.state.node_key = key;
            if (entry.provider > after && page.size() < limit) page.push_back(entry);
        }
        co_return page;
    }
};

}  // namespace myst::db::test
