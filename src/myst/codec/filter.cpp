#include "myst/codec/filter.hpp"

#include <algorithm>
#include <bitset>
#include <limits>

#include <fmt/format.h>

#include "myst/codec/json_text.hpp"
#include "myst/crypto/strict_json.hpp"

namespace myst::codec {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxText = 512 * 1024;
constexpr std::size_t kMaxValues = 64;
constexpr std::size_t kMaxValueBytes = 4 * 1024;

tl::unexpected<Error> bad(std::string_view what) {
    return fail(ErrorCode::invalid_data, fmt::format("filter: {}", what));
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Reads a list; `read_one` turns a JSON value into an optional element.
template <class T, class ReadOne>
Result<> read_list(const json::value& value, std::vector<T>& out, ReadOne read_one) {
    const auto* list = value.if_array();
    if (list == nullptr || list->empty()) return bad("a condition is not a list of values");
    if (list->size() > kMaxValues) return fail(ErrorCode::limit_exceeded, "filter: too many values in a list");
    out.reserve(list->size());
    for (const auto& entry : *list) {
        auto element = read_one(entry);
        if (!element) return bad("a value is malformed");
        out.push_back(std::move(*element));
    }
    return {};
}

Result<> read_tag_values(const json::value& value, char letter, std::vector<std::string>& out) {
    // NIP-01: these two always name an event or a key.
    const bool hex_only = letter == 'e' || letter == 'p';
    return read_list(value, out, [&](const json::value& entry) -> std::optional<std::string> {
        const auto text = detail::as_string(entry);
        if (!text || text->size() > kMaxValueBytes) return std::nullopt;
        if (hex_only && !detail::as_fixed<Hash32>(entry)) return std::nullopt;
        return std::string(*text);
    });
}

Result<> read_time(const json::value& value, std::optional<UnixTime>& out) {
    const auto time = detail::as_integer(value, detail::kMaxJsonInteger);
    if (!time) return bad("a time is malformed");
    out = detail::to_unix_time(*time);
    return {};
}

Result<> read_limit(const json::value& value, std::optional<std::uint32_t>& out) {
    const auto limit = detail::as_integer(value, std::numeric_limits<std::uint32_t>::max());
    if (!limit) return bad("the limit is malformed");
    out = static_cast<std::uint32_t>(*limit);
    return {};
}

Result<> read_kinds(const json::value& value, std::vector<std::uint32_t>& out) {
    return read_list(value, out, [](const json::value& entry) -> std::optional<std::uint32_t> {
        const auto kind = detail::as_integer(entry, kMaxEventKind);
        if (!kind) return std::nullopt;
        return static_cast<std::uint32_t>(*kind);
    });
}

Result<> read_member(std::string_view name, const json::value& value, Filter& filter) {
    if (name == "ids") return read_list(value, filter.ids, detail::as_fixed<Hash32>);
    if (name == "authors") return read_list(value, filter.authors, detail::as_fixed<NodeKey>);
    if (name == "kinds") return read_kinds(value, filter.kinds);
    if (name == "since") return read_time(value, filter.since);
    if (name == "until") return read_time(value, filter.until);
    if (name == "limit") return read_limit(value, filter.limit);
    if (name.size() == 2 && name[0] == '#' && is_letter(name[1])) {
        return read_tag_values(value, name[1], filter.tags[name[1]]);
    }
    return bad("a member is unknown");
}

template <class T>
bool allows(const std::vector<T>& allowed, const T& value) {
    return allowed.empty() || std::find(allowed.begin(), allowed.end(), value) != allowed.end();
}

bool has_tag_value(const Event& event, char letter, const std::vector<std::string>& allowed) {
    return allowed.empty() || std::any_of(event.tags.begin(), event.tags.end(), [&](const Tag& tag) {
               return tag.size() >= 2 && tag[0].size() == 1 && tag[0][0] == letter && allows(allowed, tag[1]);
           });
}

template <class T>
void sort_unique(std::vector<T>& values) {
    std::sort(values.begin(), values.end());
    values.erase(std::unique(values.begin(), values.end()), values.end());
}

/// `allows` for a sorted list.
template <class T>
bool allows_sorted(const std::vector<T>& allowed, const T& value) {
    return allowed.empty() || std::binary_search(allowed.begin(), allowed.end(), value);
}

bool is_in_time(const Filter& filter, const Event& event) {
    return !(filter.since && event.created_at < *filter.since) && !(filter.until && event.created_at > *filter.until);
}

/// Writes the members of one JSON object, with commas between them.
class MemberWriter {
public:
    explicit MemberWriter(std::string& out) : out_(out) { out_.push_back('{'); }
    void name(std::string_view text) {
        if (out_.back() != '{') out_.push_back(',');
        detail::append_json_string(out_, text, detail::ControlCharacters::escaped);
        out_.push_back(':');
    }
    template <class T, class WriteOne>
    void list(std::string_view member, const std::vector<T>& values, WriteOne write_one) {
        if (values.empty()) return;
        name(member);
        char separator = '[';
        for (const auto& value : values) {
            out_.push_back(separator);
            write_one(out_, value);
            separator = ',';
        }
        out_.push_back(']');
    }
    template <class T>
    void number(std::string_view member, const std::optional<T>& value) {
        if (!value) return;
        name(member);
        out_ += std::to_string(*value);
    }

private:
    std::string& out_;
};

std::optional<std::int64_t> count_of(const std::optional<UnixTime>& time) {
    if (!time) return std::nullopt;
    return time->time_since_epoch().count();
}

}  // namespace

bool Filter::matches(const Event& event) const {
    if (!allows(ids, event.id) || !allows(authors, event.pubkey) || !allows(kinds, event.kind)) return false;
    return is_in_time(*this, event) && std::all_of(tags.begin(), tags.end(), [&](const auto& entry) {
               return has_tag_value(event, entry.first, entry.second);
           });
}

FilterMatcher::FilterMatcher(Filter filter) : filter_(std::move(filter)) {
    sort_unique(filter_.ids);
    sort_unique(filter_.authors);
    sort_unique(filter_.kinds);
    std::erase_if(filter_.tags, [](const auto& entry) { return entry.second.empty(); });
    for (auto& [letter, values] : filter_.tags) sort_unique(values);
}

bool FilterMatcher::matches(const Event& event) const {
    if (!allows_sorted(filter_.kinds, event.kind) || !is_in_time(filter_, event)) return false;
    if (!allows_sorted(filter_.ids, event.id) || !allows_sorted(filter_.authors, event.pubkey)) return false;
    if (filter_.tags.empty()) return true;
    std::bitset<256> met;
    for (const auto& tag : event.tags) {
        if (tag.size() < 2 || tag[0].size() != 1) continue;
        const auto condition = filter_.tags.find(tag[0][0]);
        if (condition == filter_.tags.end() || !allows_sorted(condition->second, tag[1])) continue;
        met.set(static_cast<unsigned char>(tag[0][0]));
    }
    return met.count() == filter_.tags.size();
}

std::string to_json(const Filter& filter) {
    const auto write_hex = [](std::string& out, const auto& value) { out += '"' + value.hex() + '"'; };
    const auto write_text = [](std::string& out, const std::string& value) {
        detail::append_json_string(out, value, detail::ControlCharacters::escaped);
    };
    std::string text;
    MemberWriter writer(text);
    writer.list("ids", filter.ids, write_hex);
    writer.list("authors", filter.authors, write_hex);
    writer.list("kinds", filter.kinds, [](std::string& out, std::uint32_t kind) { out += std::to_string(kind); });
    for (const auto& [letter, values] : filter.tags) writer.list(std::string{'#', letter}, values, write_text);
    writer.number("since", count_of(filter.since));
    writer.number("until", count_of(filter.until));
    writer.number("limit", filter.limit);
    text.push_back('}');
    return text;
}

Result<Filter> parse_filter(std::string_view text) {
    auto parsed = crypto::parse_json(text, kMaxText);
    if (!parsed) return forward_error(parsed, "filter");
    const auto* object = parsed->if_object();
    if (object == nullptr) return bad("not a JSON object");
    Filter filter;
    for (const auto& member : *object) {
        const std::string_view name(member.key().data(), member.key().size());
        if (auto read = read_member(name, member.value(), filter); !read) return forward_error(read);
    }
    return filter;
}

}  // namespace myst::codec
