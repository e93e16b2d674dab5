#include "myst/db/relay_auth.hpp"

#include <algorithm>

#include "myst/db/record.hpp"
#include "myst/db/relay_message.hpp"

namespace myst::db {
namespace {

/// How far the answer's time may be from ours.
constexpr seconds kFreshness{600};
/// Keys that one connection may prove.
constexpr std::size_t kMaxKeys = 16;

std::set<NodeKey> recipients_of(const codec::Event& event) {
    std::set<NodeKey> keys;
    for (const auto& tag : event.tags) {
        if (tag.size() < 2 || tag[0] != "p") continue;
        if (const auto key = NodeKey::parse(tag[1])) keys.insert(*key);
    }
    return keys;
}

}  // namespace

bool RelayAccess::guards(std::uint32_t kind) const {
    return kind == codec::kGiftWrapKind || (kind == kEnvelopeKind && auth_for_mailboxes);
}

codec::Event answer_challenge(const RelayUrl& relay, const std::string& challenge, const crypto::PrivateKey& key,
                              UnixTime now, const Hash32& aux) {
    codec::Event answer;
    answer.kind = codec::kAuthKind;
    answer.created_at = now;
    answer.tags = {{"relay", relay.text()}, {"challenge", challenge}};
    codec::sign_event(answer, key, aux);
    return answer;
}

std::optional<std::string> find_fault(const codec::Event& answer, const RelayUrl& relay, std::string_view challenge,
                                      UnixTime now) {
    if (answer.kind != codec::kAuthKind) return "an AUTH message takes an event of kind 22242";
    if (answer.tag("challenge").value_or("") != challenge) return "the challenge is another one";
    const auto named = RelayUrl::parse(answer.tag("relay").value_or(""));
    // The rest may differ: proxies change it. Several relays may share a host.
    if (!named || named->host != relay.host || named->port != relay.port) {
        return "the answer is for another relay; this one is " + relay.text();
    }
    if (answer.created_at > now + kFreshness || answer.created_at < now - kFreshness) {
        return "the answer's time is more than ten minutes off";
    }
    return std::nullopt;
}

std::set<NodeKey> recipients_in(const std::vector<codec::Filter>& filters) {
    std::set<NodeKey> keys;
    for (const auto& filter : filters) {
        const auto named = filter.tags.find('p');
        if (named == filter.tags.end()) continue;
        for (const auto& value : named->second) {
            if (const auto key = NodeKey::parse(value)) keys.insert(*key);
        }
    }
    return keys;
}

std::string RelayReader::greeting() const {
    return access_.url ? encode_challenge(challenge_) : std::string();
}

std::string RelayReader::prove(const codec::Event& answer, UnixTime now) {
    if (!access_.url) return "invalid: this relay asks nobody who he is";
    if (const auto fault = find_fault(answer, *access_.url, challenge_, now)) return "invalid: " + *fault;
    if (proven_.contains(answer.pubkey)) return {};
    if (proven_.size() >= kMaxKeys) return "rate-limited: too many keys on this connection";
    proven_.insert(answer.pubkey);
    return {};
}

std::string RelayReader::refusal(const std::vector<codec::Filter>& filters) const {
    for (const auto& filter : filters) {
        const bool guarded = std::any_of(filter.kinds.begin(), filter.kinds.end(),
                                         [this](std::uint32_t kind) { return access_.guards(kind); });
        if (!guarded) continue;
        if (!access_.url) return "blocked: this relay cannot tell recipients from others";
        const auto named = filter.tags.find('p');
        const bool names_itself = named != filter.tags.end() && !named->second.empty() &&
                                  std::all_of(named->second.begin(), named->second.end(), [this](const auto& value) {
                                      const auto key = NodeKey::parse(value);
                                      return key && proven_.contains(*key);
                                  });
        if (names_itself) continue;
        // NIP-42 wants the second word for those who have proven a key, but not this one.
        return std::string(proven_.empty() ? "auth-required" : "restricted") +
               ": these records are for their recipients; prove your key and name it with #p";
    }
    return {};
}

std::string RelayReader::sync_refusal(const codec::Filter& filter, bool gifts_kept) const {
    const auto& kinds = filter.kinds;
    const bool guarded = std::any_of(kinds.begin(), kinds.end(), [this](auto kind) { return access_.guards(kind); });
    if (!guarded && (!kinds.empty() || !gifts_kept)) return {};
    return "restricted: name kinds, and none whose records are for their recipients only";
}

bool RelayReader::may_see(const codec::Event& event) const {
    if (!access_.guards(event.kind)) return true;
    const auto recipients = recipients_of(event);
    return std::any_of(recipients.begin(), recipients.end(),
                       [this](const NodeKey& key) { return proven_.contains(key); });
}

bool RelayReader::may_see_text(const std::string& json) const {
    // Most records are seen at once not to be guarded; the text is our own, without spaces.
    if (json.find("\"kind\":" + std::to_string(codec::kGiftWrapKind)) == std::string::npos) return true;
    const auto record = Record::restore(json);
    return record && may_see((*record)->event());
}

}  // namespace myst::db
