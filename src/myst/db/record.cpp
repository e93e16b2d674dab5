#include "myst/db/record.hpp"

#include <algorithm>

#include "myst/codec/record_kinds.hpp"
#include "myst/db/record_deletion.hpp"

namespace myst::db {

Result<SharedRecord> Record::verify(codec::Event event) {
    if (auto verified = codec::verify_event(event); !verified) return forward_error(verified);
    auto json = codec::to_json(event);
    return SharedRecord(new Record(std::move(event), std::move(json)));
}

Result<SharedRecord> Record::verify_json(std::string_view json, const codec::EventLimits& limits) {
    auto event = codec::parse_event(json, limits);
    if (!event) return forward_error(event);
    return verify(std::move(*event));
}

Result<SharedRecord> Record::restore(std::string json) {
    auto event = codec::parse_event(json);
    if (!event) return forward_error(event, "a stored record");
    return SharedRecord(new Record(std::move(*event), std::move(json)));
}

std::optional<RecordAddress> address_of(const codec::Event& event) {
    switch (codec::classify_kind(event.kind)) {
        case codec::KindClass::replaceable: return RecordAddress{event.kind, event.pubkey, {}};
        case codec::KindClass::addressable:
            return RecordAddress{event.kind, event.pubkey, std::string(event.tag("d").value_or(""))};
        case codec::KindClass::regular:
        case codec::KindClass::ephemeral: break;
    }
    return std::nullopt;
}

bool comes_before(const codec::Event& a, const codec::Event& b) {
    if (a.created_at != b.created_at) return a.created_at > b.created_at;
    return a.id < b.id;
}

std::optional<UnixTime> expiry_of(const codec::Event& event) {
    const auto tagged = event.expiration();
    std::optional<UnixTime> own;
    if (event.kind == codec::kRelayListKind) own = event.created_at + codec::kRelayListLife;
    if (event.kind == codec::kDeletionKind) own = deletion_end(event);
    if (!tagged || !own) return tagged ? tagged : own;
    return std::min(*tagged, *own);
}

bool is_expired(const codec::Event& event, UnixTime now) {
    const auto end = expiry_of(event);
    return end && *end <= now;
}

}  // namespace myst::db
