// Keys that are not to be trusted any more (docs/records.md, kind 10511).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "myst/node/context.hpp"

namespace myst::node {

/// The record by which `node_key` revokes itself. `reason` is for people: at most 256 bytes.
[[nodiscard]] codec::Event make_revocation(const crypto::PrivateKey& node_key, std::string reason, UnixTime now,
                                           Rng& rng);

/// Which keys were revoked, asked for in the database as far as it is needed. For one search: it does not see changes.
class Revocations {
public:
    explicit Revocations(ports::RecordNetwork& records) : records_(records) {}
    /// Keys that will be asked about, in this order: one look at the database then serves many.
    void expect(const std::vector<NodeKey>& keys) { expected_.insert(expected_.end(), keys.begin(), keys.end()); }
    [[nodiscard]] Task<Result<bool>> has(NodeKey key);

private:
    /// `key` and those expected after it that are not known yet; as many as a relay lets one filter name.
    [[nodiscard]] std::vector<NodeKey> next_from(const NodeKey& key) const;

    ports::RecordNetwork& records_;
    std::vector<NodeKey> expected_;
    std::map<NodeKey, bool> known_;
};

}  // namespace myst::node
