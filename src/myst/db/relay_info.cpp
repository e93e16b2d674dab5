#include "myst/db/relay_info.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace myst::db {

std::string relay_information(const RelayIdentity& identity, const RelayLimits& limits, const AdmissionPolicy& policy) {
    namespace json = boost::json;
    json::object document;
    document["name"] = identity.name;
    document["description"] = identity.description;
    document["software"] = "mysterium";
    document["version"] = identity.version;
    document["supported_nips"] = json::array{1, 11, 40, 77};
    json::object limitation;
    limitation["max_message_length"] = limits.message.max_message_bytes;
    limitation["max_subscriptions"] = limits.subscriptions;
    limitation["max_filters"] = limits.message.max_filters;
    limitation["max_limit"] = limits.query_records;
    limitation["max_subid_length"] = limits.message.max_subscription_id;
    limitation["max_event_tags"] = policy.max_tags;
    limitation["max_content_length"] = policy.max_content_bytes;
    limitation["created_at_upper_limit"] = policy.max_ahead.count();
    limitation["auth_required"] = false;
    limitation["payment_required"] = false;
    limitation["restricted_writes"] = !policy.kinds.empty();
    document["limitation"] = std::move(limitation);
    return json::serialize(document);
}

}  // namespace myst::db
