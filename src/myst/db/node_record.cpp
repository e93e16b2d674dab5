#include "myst/db/node_record.hpp"

#include <algorithm>

namespace myst::db {
namespace {

constexpr std::size_t kMaxVersion = 32;
constexpr std::size_t kMaxRoles = 8;
constexpr std::size_t kMaxRole = 16;

tl::unexpected<Error> bad(std::string_view what) {
    return fail(ErrorCode::invalid_data, "node record: " + std::string(what));
}

bool is_version(std::string_view text) {
    return !text.empty() && text.size() <= kMaxVersion &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_role(std::string_view text) {
    return !text.empty() && text.size() <= kMaxRole &&
           std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

Result<> read_relay(const std::string& text, NodeRecord& record) {
    if (record.relays.size() == kMaxNodeRelays) return bad("more than 8 relays");
    if (text.size() > kMaxNodeRelayUrl) return bad("a relay's address is longer than 256 bytes");
    auto url = RelayUrl::parse(text);
    if (!url) return bad("a relay's address is not a ws:// or wss:// URL");
    if (std::find(record.relays.begin(), record.relays.end(), *url) != record.relays.end()) {
        return bad("a relay is named twice");
    }
    record.relays.push_back(std::move(*url));
    return {};
}

Result<> read_role(const std::string& text, NodeRecord& record) {
    if (record.roles.size() == kMaxRoles) return bad("more than 8 roles");
    if (!is_role(text)) return bad("a malformed role");
    record.roles.push_back(text);
    return {};
}

Result<> read_tag(const codec::Tag& tag, NodeRecord& record) {
    const bool relay = tag[0] == "relay";
    if (!relay && tag[0] != "role") return {};
    if (tag.size() != 2) return bad("a relay or role tag does not have two fields");
    return relay ? read_relay(tag[1], record) : read_role(tag[1], record);
}

}  // namespace

Result<codec::Event> make_node_record(const NodeRecord& record) {
    codec::Event event;
    event.kind = codec::kNodeRecordKind;
    event.created_at = record.published;
    event.tags = {{"version", record.version}, {"expiration", std::to_string(to_unix_seconds(record.expires))}};
    for (const auto& url : record.relays) event.tags.push_back({"relay", url.text()});
    for (const auto& role : record.roles) event.tags.push_back({"role", role});
    if (auto readable = read_node_record(event); !readable) {
        return fail(ErrorCode::invalid_argument, readable.error().message);
    }
    return event;
}

Result<NodeRecord> read_node_record(const codec::Event& event) {
    if (event.kind != codec::kNodeRecordKind) return bad("wrong kind");
    if (!event.content.empty()) return bad("its content is not empty");
    NodeRecord record;
    record.published = event.created_at;
    const auto expires = event.expiration();
    if (!expires) return bad("it does not expire");
    if (*expires <= event.created_at) return bad("the expiration is before created_at");
    if (*expires - event.created_at > codec::kNodeRecordLife) return bad("it lives longer than 24 hours");
    record.expires = *expires;
    record.version = event.tag("version").value_or(std::string_view{});
    if (!is_version(record.version)) return bad("the version is missing or malformed");
    for (const auto& tag : event.tags) {
        if (auto read = read_tag(tag, record); !read) return forward_error(read);
    }
    if (record.relays.empty()) return bad("it names no relay");
    if (record.roles.empty()) return bad("it names no role");
    return record;
}

}  // namespace myst::db
