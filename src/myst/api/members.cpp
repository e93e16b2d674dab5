#include "myst/api/members.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/url/params_encoded_view.hpp>
#include <boost/url/parse_query.hpp>

#include "myst/base/printable.hpp"
#include "myst/crypto/strict_json.hpp"

namespace myst::api {
namespace {

constexpr std::size_t kMaxBodyBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxMembers = 32;
constexpr std::size_t kMaxQuoted = 40;

std::string known_names(std::span<const std::string_view> allowed) {
    if (allowed.empty()) return "this route takes none";
    return fmt::format("known: {}", fmt::join(allowed, ", "));
}

Result<> put(Members& members, std::string name, std::string value, std::span<const std::string_view> allowed) {
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
        return fail(ErrorCode::invalid_argument, "unknown member " + quoted(name), known_names(allowed));
    }
    if (value.size() > kMaxMemberLength) {
        return fail(ErrorCode::invalid_argument, fmt::format("{} is longer than {} bytes", name, kMaxMemberLength));
    }
    if (!members.emplace(name, std::move(value)).second) {
        return fail(ErrorCode::invalid_argument, name + " occurs twice");
    }
    return {};
}

std::string decoded(boost::urls::pct_string_view text) {
    boost::urls::encoding_opts options;
    options.space_as_plus = true;
    return text.decode(options);
}

}  // namespace

std::string quoted(std::string_view text) {
    auto result = printable(text, kMaxQuoted);
    std::replace(result.begin(), result.end(), '"', '?');
    return '"' + result + '"';
}

Result<Members> members_of_query(std::string_view query, std::span<const std::string_view> allowed) {
    Members members;
    if (query.empty()) return members;
    const auto parsed = boost::urls::parse_query(boost::core::string_view(query.data(), query.size()));
    if (!parsed) return fail(ErrorCode::invalid_argument, "the query is badly encoded");
    if (parsed->size() > kMaxMembers) return fail(ErrorCode::invalid_argument, "the query has too many members");
    for (auto param : *parsed) {
        if (auto done = put(members, decoded(param.key), decoded(param.value), allowed); !done) {
            return forward_error(done, "query");
        }
    }
    return members;
}

Result<Members> members_of_body(std::string_view body, std::span<const std::string_view> allowed) {
    if (body.empty()) return Members();
    auto value = crypto::parse_json(body, kMaxBodyBytes);
    if (!value) return fail(ErrorCode::invalid_argument, "body: " + value.error().message);
    const auto* object = value->if_object();
    if (object == nullptr) return fail(ErrorCode::invalid_argument, "body: expected a JSON object");
    auto members = members_of_object(*object, allowed);
    if (!members) return forward_error(members, "body");
    return members;
}

Result<Members> members_of_object(const boost::json::object& object, std::span<const std::string_view> allowed) {
    Members members;
    for (const auto& member : object) {
        std::string name(member.key());
        const auto* text = member.value().if_string();
        if (text == nullptr && std::find(allowed.begin(), allowed.end(), name) != allowed.end()) {
            return fail(ErrorCode::invalid_argument, name + " must be a JSON string",
                        "amounts are strings of decimal digits, for example \"2500000000000000000\"");
        }
        std::string content = text == nullptr ? std::string() : std::string(text->begin(), text->end());
        if (auto done = put(members, std::move(name), std::move(content), allowed); !done) return forward_error(done);
    }
    return members;
}

}  // namespace myst::api
