#include "myst/api/subscription.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include "myst/api/filter_members.hpp"
#include "myst/crypto/strict_json.hpp"

namespace myst::api {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxBytes = 16 * 1024;

tl::unexpected<Error> malformed(std::string message) {
    return fail(ErrorCode::invalid_argument, "subscription: " + std::move(message),
                R"(send {"v": 1, "subscribe": "proposals", "filter": {}})");
}

}  // namespace

Result<node::ProposalFilter> parse_subscription(std::string_view text) {
    const auto value = crypto::parse_json(text, kMaxBytes);
    if (!value) return malformed(value.error().message);
    const auto* object = value->if_object();
    if (object == nullptr) return malformed("expected a JSON object");
    for (const auto& member : *object) {
        const std::string_view name(member.key().data(), member.key().size());
        if (name != "v" && name != "subscribe" && name != "filter") return malformed("unknown member " + quoted(name));
    }
    const auto* version = object->if_contains("v");
    if (version == nullptr || *version != 1) return malformed("v must be 1");
    const auto* topic = object->if_contains("subscribe");
    if (topic == nullptr || *topic != "proposals") return malformed("subscribe must be \"proposals\"");
    const auto* filter = object->if_contains("filter");
    if (filter == nullptr) return node::ProposalFilter();
    if (!filter->is_object()) return malformed("filter must be an object");
    auto members = members_of_object(filter->get_object(), kFilterMembers);
    if (!members) return forward_error(members, "filter");
    return filter_of(*members);
}

}  // namespace myst::api
