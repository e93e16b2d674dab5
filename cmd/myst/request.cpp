#include "request.hpp"

#include <utility>
#include <vector>

#include <fmt/format.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/url/params_ref.hpp>
#include <boost/url/url.hpp>

#include "myst/base/amount.hpp"

namespace myst::console {
namespace {

using Members = std::vector<std::pair<std::string, std::string>>;

/// Waiting until a transaction is mined, or a session is wound up, takes long.
constexpr milliseconds kPatient{600'000};
/// In a page, where all are wanted.
constexpr unsigned kAllLimit = 500;

Outcome<std::string> units_of(std::string_view option, const std::string& text, bool in_units) {
    const auto amount = in_units ? Amount::parse(text) : parse_tokens(text);
    if (amount) return amount->to_string();
    return give_up(Exit::usage,
                   Error{ErrorCode::invalid_argument, fmt::format("{}: {}", option, amount.error().message),
                         in_units ? "give a whole number of the smallest unit" : "give tokens, such as 2.5"});
}

Outcome<Members> filter_of(const Options& options) {
    Members members;
    if (!options.service.empty()) members.emplace_back("service", options.service);
    if (!options.country.empty()) members.emplace_back("country", options.country);
    if (!options.provider.empty()) members.emplace_back("provider", options.provider);
    const std::tuple<const char*, const char*, const std::string&> prices[] = {
        {"--max-price", "max_price_gib", options.max_price},
        {"--max-price-hour", "max_price_hour", options.max_price_hour},
        {"--min-stake", "min_stake", options.min_stake},
    };
    for (const auto& [option, member, text] : prices) {
        if (text.empty()) continue;
        auto units = units_of(option, text, false);
        if (!units) return tl::unexpected<Failure>(std::move(units).error());
        members.emplace_back(member, std::move(*units));
    }
    if (!options.city.empty()) members.emplace_back("city", options.city);
    if (options.min_reputation) members.emplace_back("min_reputation", std::to_string(*options.min_reputation));
    if (options.max_age) members.emplace_back("max_age", std::to_string(*options.max_age));
    return members;
}

void add_page(const Options& options, Members& members) {
    if (options.max_latency) members.emplace_back("max_latency", std::to_string(*options.max_latency));
    if (!options.sort.empty()) members.emplace_back("sort", options.sort);
    if (options.worst_first) members.emplace_back("order", "worst");
    if (options.limit || options.all) members.emplace_back("limit", std::to_string(options.limit.value_or(kAllLimit)));
    if (!options.cursor.empty()) members.emplace_back("cursor", options.cursor);
}

boost::json::object object_of(const Members& members) {
    boost::json::object object;
    for (const auto& [name, value] : members) object[name] = value;
    return object;
}

std::string body_of(const Members& members) {
    return boost::json::serialize(object_of(members));
}

std::string query_of(const Members& members) {
    boost::urls::url url;
    for (const auto& [name, value] : members) url.params().append({name, value});
    return std::string(url.buffer().data(), url.buffer().size());
}

Outcome<ApiRequest> with_filter(const Options& options) {
    auto members = filter_of(options);
    if (!members) return tl::unexpected<Failure>(std::move(members).error());
    if (options.verb == Verb::connect) return ApiRequest{"POST", "/v1/connection", body_of(*members)};
    add_page(options, *members);
    return ApiRequest{"GET", "/v1/proposals" + query_of(*members)};
}

Outcome<ApiRequest> with_amount(const Options& options, std::string path) {
    ApiRequest request{"POST", std::move(path), "{}", kPatient};
    if (options.amount.empty() && options.verb == Verb::wallet_withdraw) return request;
    auto units = units_of("AMOUNT", options.amount, options.units);
    if (!units) return tl::unexpected<Failure>(std::move(units).error());
    request.body = body_of({{"amount", std::move(*units)}});
    return request;
}

}  // namespace

Outcome<ApiRequest> request_of(const Options& options) {
    switch (options.verb) {
        case Verb::status: return ApiRequest{"GET", "/v1/status"};
        case Verb::wallet_create: return ApiRequest{"POST", "/v1/wallet"};
        case Verb::wallet_address: return ApiRequest{"GET", "/v1/wallet"};
        case Verb::wallet_balance: return ApiRequest{"GET", "/v1/wallet/balance"};
        case Verb::wallet_deposit: return with_amount(options, "/v1/wallet/deposit");
        case Verb::wallet_withdraw: return with_amount(options, "/v1/wallet/withdraw");
        case Verb::wallet_reservations: return ApiRequest{"GET", "/v1/wallet/reservations"};
        case Verb::wallet_release:
            return ApiRequest{"POST", "/v1/wallet/release", body_of({{"provider", options.provider}}), kPatient};
        case Verb::proposals:
        case Verb::connect: return with_filter(options);
        case Verb::disconnect: return ApiRequest{"DELETE", "/v1/connection", "", kPatient};
        case Verb::provider_start: return ApiRequest{"POST", "/v1/provider", "", kPatient};
        case Verb::provider_stop: return ApiRequest{"DELETE", "/v1/provider", "", kPatient};
        case Verb::provider_status: return ApiRequest{"GET", "/v1/provider"};
        case Verb::provider_sessions: return ApiRequest{"GET", "/v1/provider/sessions"};
        case Verb::provider_limits: return ApiRequest{"GET", "/v1/provider/limits"};
        case Verb::provider_revoke: {
            auto body = options.reason.empty() ? std::string("{}") : body_of({{"reason", options.reason}});
            return ApiRequest{"POST", "/v1/provider/revoke", std::move(body), kPatient};
        }
        case Verb::provider_settle: return ApiRequest{"POST", "/v1/provider/settle", "", kPatient};
        case Verb::provider_unregister: return ApiRequest{"POST", "/v1/provider/unregister", "", kPatient};
    }
    return ApiRequest{};
}

Outcome<ApiRequest> latency_request_of(const Options& options) {
    auto members = filter_of(options);
    if (!members) return tl::unexpected<Failure>(std::move(members).error());
    return ApiRequest{"POST", "/v1/proposals/latency", body_of(*members)};
}

Outcome<std::string> subscription_of(const Options& options) {
    auto members = filter_of(options);
    if (!members) return tl::unexpected<Failure>(std::move(members).error());
    const boost::json::object message{{"v", 1}, {"subscribe", "proposals"}, {"filter", object_of(*members)}};
    return boost::json::serialize(message);
}

}  // namespace myst::console
