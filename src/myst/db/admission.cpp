#include "myst/db/admission.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/codec/proof_of_work.hpp"
#include "myst/db/node_record.hpp"
#include "myst/db/record.hpp"
#include "myst/db/record_deletion.hpp"
#include "myst/db/relay_url.hpp"

namespace myst::db {
namespace {

constexpr std::size_t kMaxListedUrl = 256;
constexpr std::size_t kMaxReceiptTags = 4;  ///< d, chain, expiration, and nonce
constexpr std::size_t kMaxReceiptTagBytes = 512;

Refusal invalid(std::string reason) {
    return {RefusalPrefix::invalid, std::move(reason)};
}

std::size_t tag_bytes(const codec::Event& event) {
    std::size_t bytes = 0;
    for (const auto& tag : event.tags) {
        for (const auto& field : tag) bytes += field.size();
    }
    return bytes;
}

std::optional<Refusal> check_size(const codec::Event& event, const AdmissionPolicy& policy) {
    if (event.content.size() > policy.max_content_bytes) return invalid("the content is too large");
    const bool ephemeral = codec::classify_kind(event.kind) == codec::KindClass::ephemeral;
    if (event.tags.size() > (ephemeral ? policy.max_ephemeral_tags : policy.max_tags)) return invalid("too many tags");
    if (tag_bytes(event) > policy.max_tags_bytes) return invalid("the tags are too large");
    return std::nullopt;
}

std::optional<Refusal> check_proposal(const codec::Event& event, const AdmissionPolicy& policy) {
    const auto expiration = event.expiration();
    if (!expiration) return invalid("a proposal must carry an expiration tag");
    if (*expiration <= event.created_at) return invalid("the expiration is before created_at");
    if (*expiration - event.created_at > codec::kProposalLife) {
        return invalid("a proposal must expire within 24 hours of created_at");
    }
    if (event.tag("d").value_or("").empty()) return invalid("a proposal must name its service in a d tag");
    if (event.content.size() > policy.max_proposal_bytes) return invalid("the content of the proposal is too large");
    return std::nullopt;
}

std::optional<Refusal> check_deletion(const codec::Event& event, const AdmissionPolicy& policy) {
    // It has an end of its own, after which what it deletes cannot be back.
    if (event.tag("expiration")) return invalid("a deletion request must not expire");
    if (deletion_targets(event).empty()) return invalid("a deletion request must name a record of its author");
    if (event.content.size() > policy.max_deletion_bytes) return invalid("the reason for the deletion is too long");
    return std::nullopt;
}

std::optional<Refusal> check_receipt(const codec::Event& event) {
    const auto expiration = event.expiration();
    if (!expiration || *expiration <= event.created_at || *expiration - event.created_at > codec::kReceiptLife) {
        return invalid("a receipt must expire within 365 days of created_at");
    }
    const auto payee = event.tag("d").value_or("");
    const auto address = Address::parse(payee);
    if (!address || address->hex0x() != payee) return invalid("a receipt must name its payee in a d tag");
    if (event.content.size() > codec::kMaxReceiptContent) return invalid("the content of the receipt is too large");
    if (event.tags.size() > kMaxReceiptTags) return invalid("a receipt has four tags at most");
    if (tag_bytes(event) > kMaxReceiptTagBytes) return invalid("the tags of the receipt are too large");
    return std::nullopt;
}

std::optional<Refusal> check_revocation(const codec::Event& event) {
    if (event.tag("expiration")) return invalid("a revocation is for ever and carries no expiration tag");
    if (event.content.size() > codec::kMaxRevocationContent)
        return invalid("the content of the revocation is too large");
    return std::nullopt;
}

std::optional<Refusal> check_node_record(const codec::Event& event) {
    const auto record = read_node_record(event);
    if (!record) return invalid(record.error().message);
    return std::nullopt;
}

bool names_key(const std::optional<std::string_view>& value) {
    return value && value->size() == NodeKey::kSize * 2 && NodeKey::parse(*value);
}

std::optional<Refusal> check_gift_wrap(const codec::Event& event, UnixTime now) {
    const auto recipients =
        std::count_if(event.tags.begin(), event.tags.end(), [](const auto& tag) { return tag[0] == "p"; });
    if (recipients != 1 || !names_key(event.tag("p"))) {
        return invalid("a gift wrap must name its one recipient in a p tag");
    }
    const auto expiration = event.expiration();
    if (!expiration) return invalid("a gift wrap must carry an expiration tag");
    if (*expiration - now > codec::kGiftWrapLife) return invalid("a gift wrap must expire within seven days");
    return std::nullopt;
}

std::optional<Refusal> check_relay_list(const codec::Event& event, const AdmissionPolicy& policy) {
    if (!event.content.empty()) return invalid("the content of a relay list must be empty");
    std::size_t relays = 0;
    for (const auto& tag : event.tags) {
        if (tag[0] != "r") continue;
        const bool marked = tag.size() < 3 || tag[2] == "read" || tag[2] == "write";
        if (tag.size() < 2 || !marked || tag[1].size() > kMaxListedUrl || !RelayUrl::parse(tag[1])) {
            return invalid("an r tag must hold a ws:// or wss:// URL, and perhaps \"read\" or \"write\"");
        }
        ++relays;
    }
    if (relays == 0) return invalid("a relay list must name a relay in an r tag");
    if (relays > policy.max_listed_relays) return invalid("a relay list may name 16 relays");
    return std::nullopt;
}

std::optional<Refusal> check_envelope(const codec::Event& event, const AdmissionPolicy& policy, UnixTime now) {
    if (now - event.created_at > policy.max_envelope_age) return invalid("the envelope is older than two minutes");
    if (!names_key(event.tag("p"))) {
        return invalid("an envelope must name its recipient in a p tag");
    }
    return std::nullopt;
}

}  // namespace

std::string_view to_string(RefusalPrefix prefix) {
    switch (prefix) {
        case RefusalPrefix::invalid: return "invalid";
        case RefusalPrefix::pow: return "pow";
        case RefusalPrefix::blocked: return "blocked";
        case RefusalPrefix::rate_limited: return "rate-limited";
        case RefusalPrefix::duplicate: return "duplicate";
        case RefusalPrefix::error: return "error";
    }
    return "error";
}

std::string Refusal::message() const {
    return std::string(to_string(prefix)) + ": " + reason;
}

std::vector<std::uint32_t> replicated_and(std::uint32_t kind) {
    std::vector<std::uint32_t> kinds(codec::kReplicatedKinds.begin(), codec::kReplicatedKinds.end());
    kinds.push_back(kind);
    return kinds;
}

std::optional<Refusal> check_work(const codec::Event& event, const AdmissionPolicy& policy) {
    if (codec::classify_kind(event.kind) == codec::KindClass::ephemeral) return std::nullopt;
    const unsigned proven = codec::proven_work(event);
    if (proven >= policy.min_pow_bits) return std::nullopt;
    return Refusal{RefusalPrefix::pow, fmt::format("difficulty {} is less than {}, which authors need who are not "
                                                   "registered on chain",
                                                   proven, policy.min_pow_bits)};
}

std::optional<Refusal> check_admission(const codec::Event& event, const AdmissionPolicy& policy, UnixTime now) {
    // Whoever gets hold of a proof could show it to the relay that it is for.
    if (event.kind == codec::kAuthKind) return invalid("a proof of a key is not for others; send it as AUTH");
    const bool known =
        policy.kinds.empty() || std::find(policy.kinds.begin(), policy.kinds.end(), event.kind) != policy.kinds.end();
    if (!known) return Refusal{RefusalPrefix::blocked, "this relay does not keep kind " + std::to_string(event.kind)};
    if (auto refusal = check_size(event, policy)) return refusal;
    if (event.created_at - now > policy.max_ahead) return invalid("created_at is too far in the future");
    if (event.tag("expiration") && !event.expiration()) return invalid("the expiration tag is malformed");
    if (is_expired(event, now)) return invalid("the record has expired");
    if (event.kind == kProposalKind) return check_proposal(event, policy);
    if (event.kind == kDeletionKind) return check_deletion(event, policy);
    if (event.kind == kReceiptKind) return check_receipt(event);
    if (event.kind == kRevocationKind) return check_revocation(event);
    if (event.kind == kNodeRecordKind) return check_node_record(event);
    if (event.kind == codec::kGiftWrapKind) return check_gift_wrap(event, now);
    if (event.kind == codec::kRelayListKind) return check_relay_list(event, policy);
    if (event.kind == kEnvelopeKind) return check_envelope(event, policy, now);
    return std::nullopt;
}

}  // namespace myst::db
