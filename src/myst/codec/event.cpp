#include "myst/codec/event.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/base/amount.hpp"
#include "myst/codec/json_text.hpp"
#include "myst/crypto/sha256.hpp"

namespace myst::codec {
namespace {

using detail::ControlCharacters;

void append_tags(std::string& out, const std::vector<Tag>& tags, ControlCharacters controls) {
    out.push_back('[');
    const char* tag_separator = "";
    for (const auto& tag : tags) {
        out += tag_separator;
        out.push_back('[');
        const char* field_separator = "";
        for (const auto& field : tag) {
            out += field_separator;
            detail::append_json_string(out, field, controls);
            field_separator = ",";
        }
        out.push_back(']');
        tag_separator = ",";
    }
    out.push_back(']');
}

}  // namespace

std::optional<std::string_view> Event::tag(std::string_view name) const {
    for (const auto& candidate : tags) {
        if (candidate.size() >= 2 && candidate.front() == name) return candidate[1];
    }
    return std::nullopt;
}

std::optional<UnixTime> Event::expiration() const {
    const auto text = tag("expiration");
    if (!text) return std::nullopt;
    const auto value = parse_u64(*text);
    if (!value || *value > detail::kMaxJsonInteger) return std::nullopt;
    return detail::to_unix_time(*value);
}

KindClass classify_kind(std::uint32_t kind) {
    if (kind == 0 || kind == 3) return KindClass::replaceable;
    if (kind >= 10'000 && kind < 20'000) return KindClass::replaceable;
    if (kind >= 20'000 && kind < 30'000) return KindClass::ephemeral;
    if (kind >= 30'000 && kind < 40'000) return KindClass::addressable;
    return KindClass::regular;
}

std::string canonical_form(const Event& event) {
    std::string text;
    text.reserve(128 + event.content.size() + event.content.size() / 8);
    fmt::format_to(std::back_inserter(text), "[0,\"{}\",{},{},", event.pubkey.hex(),
                   event.created_at.time_since_epoch().count(), event.kind);
    append_tags(text, event.tags, ControlCharacters::verbatim);
    text.push_back(',');
    detail::append_json_string(text, event.content, ControlCharacters::verbatim);
    text.push_back(']');
    return text;
}

Hash32 event_id(const Event& event) {
    return crypto::sha256(as_bytes(canonical_form(event)));
}

void sign_event(Event& event, const crypto::PrivateKey& key, const Hash32& aux) {
    event.pubkey = key.node_key();
    event.id = event_id(event);
    event.sig = key.sign_schnorr(event.id.bytes, aux);
}

Result<> verify_event(const Event& event) {
    if (event.id != event_id(event)) return fail(ErrorCode::invalid_data, "the event's id does not match its content");
    if (!crypto::verify_schnorr(event.pubkey, event.id.bytes, event.sig)) {
        return fail(ErrorCode::invalid_data, "the event's signature is wrong");
    }
    return {};
}

std::string to_json(const Event& event) {
    std::string text;
    text.reserve(384 + event.content.size() + event.content.size() / 8);
    fmt::format_to(std::back_inserter(text), R"({{"id":"{}","pubkey":"{}","created_at":{},"kind":{},"tags":)",
                   event.id.hex(), event.pubkey.hex(), event.created_at.time_since_epoch().count(), event.kind);
    append_tags(text, event.tags, ControlCharacters::escaped);
    text += R"(,"content":)";
    detail::append_json_string(text, event.content, ControlCharacters::escaped);
    fmt::format_to(std::back_inserter(text), R"(,"sig":"{}"}})", event.sig.hex());
    return text;
}

}  // namespace myst::codec
