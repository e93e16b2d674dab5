#include "myst/node/revocation.hpp"

#include <algorithm>

#include "myst/codec/record_kinds.hpp"

namespace myst::node {
namespace {

constexpr std::size_t kKeysAtOnce = 64;

}  // namespace

codec::Event make_revocation(const crypto::PrivateKey& node_key, std::string reason, UnixTime now, Rng& rng) {
    codec::Event event;
    event.kind = codec::kRevocationKind;
    event.created_at = now;
    event.content = std::move(reason);
    codec::sign_event(event, node_key, random_bytes<Hash32>(rng));
    return event;
}

std::vector<NodeKey> Revocations::next_from(const NodeKey& key) const {
    std::vector<NodeKey> keys{key};
    for (auto each = std::find(expected_.begin(), expected_.end(), key); each != expected_.end(); ++each) {
        if (keys.size() == kKeysAtOnce) break;
        const bool is_listed = std::find(keys.begin(), keys.end(), *each) != keys.end();
        if (!is_listed && !known_.contains(*each)) keys.push_back(*each);
    }
    return keys;
}

Task<Result<bool>> Revocations::has(NodeKey key) {
    if (const auto known = known_.find(key); known != known_.end()) co_return known->second;
    const auto asked = next_from(key);
    std::vector<codec::Filter> filters(1);
    filters.front().kinds = {codec::kRevocationKind};
    filters.front().authors = asked;
    auto found = co_await records_.query(std::move(filters), asked.size());
    if (!found) co_return forward_error(found, "asking for revocations");
    for (const auto& each : asked) known_[each] = false;
    for (const auto& event : *found) {
        if (event.kind == codec::kRevocationKind) known_[event.pubkey] = true;
    }
    co_return known_[key];
}

}  // namespace myst::node
