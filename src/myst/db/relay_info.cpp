#include "myst/db/relay_info.hpp"

#include <algorithm>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace myst::db {

namespace {

namespace json = boost::json;

bool takes(const AdmissionPolicy& policy, std::uint32_t kind) {
    return policy.kinds.empty() || std::find(policy.kinds.begin(), policy.kinds.end(), kind) != policy.kinds.end();
}

/// What a client may rely on. Those that only clients implement (NIP-44) are not listed.
json::array supported(const AdmissionPolicy& policy, const RelayAccess& access) {
    json::array nips{1, 9, 11, 13, 40};
    if (access.url) nips.emplace_back(42);
    if (access.url && takes(policy, codec::kGiftWrapKind)) nips.emplace_back(59);
    if (takes(policy, codec::kRelayListKind)) nips.emplace_back(65);
    nips.emplace_back(77);
    return nips;
}

/// How long what is stored is kept at most, in seconds; null: until it is replaced or deleted.
json::array retention(const AdmissionPolicy& policy) {
    json::array entries;
    const auto add = [&](std::uint32_t kind) {
        if (!takes(policy, kind)) return;
        json::array kinds;
        kinds.emplace_back(kind);
        const auto life = codec::longest_life(kind);
        json::object entry;
        entry["kinds"] = std::move(kinds);
        entry["time"] = life ? json::value(life->count()) : json::value(nullptr);
        entries.emplace_back(std::move(entry));
    };
    for (const auto kind : codec::kReplicatedKinds) add(kind);
    add(codec::kGiftWrapKind);
    return entries;
}

}  // namespace

std::string relay_information(const RelayIdentity& identity, const RelayLimits& limits, const AdmissionPolicy& policy,
                              const RelayAccess& access) {
    json::object document;
    document["name"] = identity.name;
    document["description"] = identity.description;
    document["software"] = "mysterium";
    document["version"] = identity.version;
    document["supported_nips"] = supported(policy, access);
    document["retention"] = retention(policy);
    json::object limitation;
    limitation["max_message_length"] = limits.message.max_message_bytes;
    limitation["max_subscriptions"] = limits.subscriptions;
    limitation["max_filters"] = limits.message.max_filters;
    limitation["max_limit"] = limits.query_records;
    limitation["max_subid_length"] = limits.message.max_subscription_id;
    limitation["max_event_tags"] = policy.max_tags;
    limitation["max_content_length"] = policy.max_content_bytes;
    limitation["created_at_upper_limit"] = policy.max_ahead.count();
    // Of authors who are not registered on chain.
    if (policy.min_pow_bits > 0) limitation["min_pow_difficulty"] = policy.min_pow_bits;
    limitation["auth_required"] = false;  // for reading what is addressed to somebody, not before anything else
    limitation["payment_required"] = false;
    limitation["restricted_writes"] = !policy.kinds.empty() || policy.min_pow_bits > 0;
    document["limitation"] = std::move(limitation);
    return json::serialize(document);
}

}  // namespace myst::db
