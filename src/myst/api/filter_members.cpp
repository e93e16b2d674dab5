#include "myst/api/filter_members.hpp"

#include <algorithm>

#include "myst/base/printable.hpp"
#include "myst/crypto/address.hpp"
#include "myst/node/proposal_record.hpp"

namespace myst::api {
namespace {

constexpr std::size_t kMaxServiceLength = 32;
constexpr std::uint64_t kMaxLimit = 500;
constexpr std::uint64_t kMaxReputation = 47;
constexpr std::uint64_t kMaxAge = 86'400;  ///< seconds; offers live no longer
constexpr std::uint64_t kMaxLatency = 10'000;

Result<std::string> service_of(std::string_view text) {
    const auto fits = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    if (text.empty() || text.size() > kMaxServiceLength || !std::all_of(text.begin(), text.end(), fits)) {
        return fail(ErrorCode::invalid_argument, "service: expected a name of a-z, 0-9 and -, such as wireguard");
    }
    return std::string(text);
}

Result<std::string> country_of(std::string_view text) {
    std::string country;
    for (char c : text) country.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
    const auto is_letter = [](char c) { return c >= 'A' && c <= 'Z'; };
    if (country.size() != 2 || !std::all_of(country.begin(), country.end(), is_letter)) {
        return fail(ErrorCode::invalid_argument, "country: expected two letters of ISO 3166-1, such as DE");
    }
    return country;
}

Result<std::string> city_of(std::string_view text) {
    if (node::is_city(text)) return std::string(text);
    return fail(ErrorCode::invalid_argument, "city: expected a name of at most 64 bytes, such as Hamburg");
}

Result<std::uint32_t> reputation_of(std::string_view text) {
    auto number = parse_u64(text);
    if (number && *number <= kMaxReputation) return static_cast<std::uint32_t>(*number);
    return fail(ErrorCode::invalid_argument, "min_reputation: expected a number from 0 to 47");
}

Result<seconds> age_of(std::string_view text) {
    auto number = parse_u64(text);
    if (number && *number <= kMaxAge) return seconds(static_cast<std::int64_t>(*number));
    return fail(ErrorCode::invalid_argument, "max_age: expected a number of seconds, at most 86400");
}

Result<milliseconds> latency_of(std::string_view text) {
    auto number = parse_u64(text);
    if (number && *number <= kMaxLatency) return milliseconds(static_cast<std::int64_t>(*number));
    return fail(ErrorCode::invalid_argument, "max_latency: expected a number of milliseconds, at most 10000");
}

Result<node::OfferOrder> sort_of(std::string_view text) {
    for (const auto order : node::kOfferOrders) {
        if (to_string(order) == text) return order;
    }
    return fail(ErrorCode::invalid_argument, "sort: expected price, stake, reputation, age, country or latency");
}

/// "best" comes first unless "worst" is asked for.
Result<bool> is_reversed(std::string_view text) {
    if (text == "best" || text == "worst") return text == "worst";
    return fail(ErrorCode::invalid_argument, "order: expected best or worst");
}

Result<std::size_t> limit_of(std::string_view text) {
    auto limit = parse_u64(text);
    if (!limit || *limit < 1 || *limit > kMaxLimit) {
        return fail(ErrorCode::invalid_argument, "limit: expected a number from 1 to 500");
    }
    return static_cast<std::size_t>(*limit);
}

/// Parses one member into `target`, if the request has it.
template <class Parse, class Target>
Result<> take(const Members& members, std::string_view name, Parse parse, Target& target) {
    const auto found = members.find(name);
    if (found == members.end()) return {};
    auto value = parse(std::string_view(found->second));
    if (!value) return forward_error(value);
    target = std::move(*value);
    return {};
}

auto amount_named(std::string_view name) {
    return [name](std::string_view text) -> Result<Amount> {
        auto amount = Amount::parse(text);
        if (amount) return amount;
        return fail(ErrorCode::invalid_argument, std::string(name) + ": " + amount.error().message,
                    "amounts are counted in the smallest token unit; 1 token is 1000000000000000000");
    };
}

Result<NodeKey> provider_of(std::string_view text) {
    auto key = NodeKey::parse(text);
    if (key && !text.starts_with("0x")) return key;
    return fail(ErrorCode::invalid_argument, "provider: expected a node key of 64 hex digits");
}

}  // namespace

Result<node::ProposalFilter> filter_of(const Members& members) {
    node::ProposalFilter filter;
    if (auto done = take(members, "service", service_of, filter.service); !done) return forward_error(done);
    if (auto done = take(members, "country", country_of, filter.country); !done) return forward_error(done);
    auto price = take(members, "max_price_gib", amount_named("max_price_gib"), filter.max_per_gib);
    if (!price) return forward_error(price);
    price = take(members, "max_price_hour", amount_named("max_price_hour"), filter.max_per_hour);
    if (!price) return forward_error(price);
    if (auto done = take(members, "provider", provider_of, filter.provider); !done) return forward_error(done);
    if (auto done = take(members, "city", city_of, filter.city); !done) return forward_error(done);
    if (auto done = take(members, "min_stake", amount_named("min_stake"), filter.min_stake); !done)
        return forward_error(done);
    if (auto done = take(members, "min_reputation", reputation_of, filter.min_reputation); !done)
        return forward_error(done);
    if (auto done = take(members, "max_age", age_of, filter.max_age); !done) return forward_error(done);
    return filter;
}

Result<Address> address_of(const Members& members, std::string_view name) {
    const auto found = members.find(name);
    if (found == members.end()) return fail(ErrorCode::invalid_argument, "body: " + std::string(name) + " is missing");
    auto address = crypto::parse_address(found->second);
    if (!address) return forward_error(address, name);
    return address;
}

Result<node::ProposalQuery> proposal_query_of(const Members& members) {
    auto filter = filter_of(members);
    if (!filter) return forward_error(filter);
    node::ProposalQuery query{std::move(*filter)};
    if (auto done = take(members, "sort", sort_of, query.order); !done) return forward_error(done);
    if (auto done = take(members, "order", is_reversed, query.reversed); !done) return forward_error(done);
    if (auto done = take(members, "max_latency", latency_of, query.max_latency); !done) return forward_error(done);
    if (auto done = take(members, "limit", limit_of, query.limit); !done) return forward_error(done);
    const auto as_text = [](std::string_view text) -> Result<std::string> { return std::string(text); };
    if (auto done = take(members, "cursor", as_text, query.cursor); !done) return forward_error(done);
    return query;
}

Result<std::string> reason_of(const Members& members) {
    const auto fits = [](std::string_view text) -> Result<std::string> {
        if (text.size() <= codec::kMaxRevocationContent && printable(text) == text) return std::string(text);
        return fail(ErrorCode::invalid_argument, "reason: expected at most 256 bytes in one line");
    };
    std::string reason;
    if (auto done = take(members, "reason", fits, reason); !done) return forward_error(done);
    return reason;
}

Result<std::optional<Amount>> amount_of(const Members& members) {
    std::optional<Amount> amount;
    if (auto done = take(members, "amount", amount_named("amount"), amount); !done) return forward_error(done);
    if (amount && amount->is_zero()) return fail(ErrorCode::invalid_argument, "amount: must be more than zero");
    return amount;
}

}  // namespace myst::api
