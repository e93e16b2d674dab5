// Reading events from JSON.
#include <array>

#include <boost/json/monotonic_resource.hpp>

#include "myst/codec/event.hpp"
#include "myst/codec/json_text.hpp"
#include "myst/crypto/strict_json.hpp"

namespace myst::codec {
namespace {

namespace json = boost::json;

constexpr std::size_t kMembers = 7;

tl::unexpected<Error> bad(const char* what) {
    return fail(ErrorCode::invalid_data, std::string("event: ") + what);
}

tl::unexpected<Error> too_much(const char* what) {
    return fail(ErrorCode::limit_exceeded, std::string("event: ") + what);
}

Result<Tag> read_tag(const json::value& value, const EventLimits& limits) {
    const auto* fields = value.if_array();
    if (fields == nullptr || fields->empty()) return bad("a tag is not a list of texts");
    if (fields->size() > limits.max_tag_fields) return too_much("a tag has too many fields");
    Tag tag;
    tag.reserve(fields->size());
    for (const auto& field : *fields) {
        const auto text = detail::as_string(field);
        if (!text) return bad("a field of a tag is not a text");
        if (text->size() > limits.max_tag_bytes) return too_much("a field of a tag is too long");
        tag.emplace_back(*text);
    }
    return tag;
}

Result<std::vector<Tag>> read_tags(const json::value& value, const EventLimits& limits) {
    const auto* list = value.if_array();
    if (list == nullptr) return bad("the tags are not a list");
    if (list->size() > limits.max_tags) return too_much("too many tags");
    std::vector<Tag> tags;
    tags.reserve(list->size());
    for (const auto& entry : *list) {
        auto tag = read_tag(entry, limits);
        if (!tag) return forward_error(tag);
        tags.push_back(std::move(*tag));
    }
    return tags;
}

/// The numbers and keys, which have no limits of their own.
Result<Event> read_fixed_members(const json::object& object) {
    const auto id = detail::as_fixed<Hash32>(object.at("id"));
    const auto pubkey = detail::as_fixed<NodeKey>(object.at("pubkey"));
    const auto sig = detail::as_fixed<crypto::SchnorrSignature>(object.at("sig"));
    const auto created_at = detail::as_integer(object.at("created_at"), detail::kMaxJsonInteger);
    const auto kind = detail::as_integer(object.at("kind"), kMaxEventKind);
    if (!id) return bad("the id is malformed");
    if (!pubkey) return bad("the public key is malformed");
    if (!sig) return bad("the signature is malformed");
    if (!created_at) return bad("the time is malformed");
    if (!kind) return bad("the kind is malformed");
    Event event;
    event.id = *id;
    event.pubkey = *pubkey;
    event.sig = *sig;
    event.created_at = detail::to_unix_time(*created_at);
    event.kind = static_cast<std::uint32_t>(*kind);
    return event;
}

bool has_all_members(const json::object& object) {
    for (const char* name : {"id", "pubkey", "created_at", "kind", "tags", "content", "sig"}) {
        if (!object.contains(name)) return false;
    }
    return object.size() == kMembers;
}

}  // namespace

Result<Event> parse_event(std::string_view text, const EventLimits& limits) {
    std::array<unsigned char, 4'096> first{};  // holds the members of a usual record
    json::monotonic_resource memory(first.data(), first.size());
    auto parsed = crypto::parse_json(text, limits.max_json_bytes, &memory);
    if (!parsed) return forward_error(parsed, "event");
    const auto* object = parsed->if_object();
    if (object == nullptr) return bad("not a JSON object");
    if (!has_all_members(*object)) return bad("a member is missing or unknown");
    auto event = read_fixed_members(*object);
    if (!event) return event;
    auto tags = read_tags(object->at("tags"), limits);
    if (!tags) return forward_error(tags);
    const auto content = detail::as_string(object->at("content"));
    if (!content) return bad("the content is not a text");
    if (content->size() > limits.max_content_bytes) return too_much("the content is too long");
    event->tags = std::move(*tags);
    event->content = *content;
    return event;
}

}  // namespace myst::codec
