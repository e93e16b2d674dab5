#include "myst/api/routes.hpp"

#include <array>

#include "myst/api/filter_members.hpp"
#include "myst/api/json_views.hpp"
#include "myst/api/openapi.hpp"

namespace myst::api {
namespace {

template <class T>
Result<std::string> reply(Result<T>& answer) {
    if (!answer) return forward_error(answer);
    return body_of(*answer);
}

Task<Result<std::string>> health(node::Control&, Members) {
    co_return health_body();
}

Task<Result<std::string>> openapi(node::Control&, Members) {
    co_return std::string(openapi_document());
}

Task<Result<std::string>> status(node::Control& node, Members) {
    auto answer = co_await node.status();
    co_return reply(answer);
}

Task<Result<std::string>> wallet_create(node::Control& node, Members) {
    auto answer = co_await node.wallet_create();
    co_return reply(answer);
}

Task<Result<std::string>> wallet_info(node::Control& node, Members) {
    auto answer = co_await node.wallet_info();
    co_return reply(answer);
}

Task<Result<std::string>> wallet_balance(node::Control& node, Members) {
    auto answer = co_await node.wallet_balance();
    co_return reply(answer);
}

Task<Result<std::string>> wallet_deposit(node::Control& node, Members members) {
    auto amount = amount_of(members);
    if (!amount) co_return forward_error(amount);
    if (!*amount) co_return fail(ErrorCode::invalid_argument, "body: amount is missing");
    auto answer = co_await node.wallet_deposit(**amount);
    co_return reply(answer);
}

Task<Result<std::string>> wallet_withdraw(node::Control& node, Members members) {
    auto amount = amount_of(members);
    if (!amount) co_return forward_error(amount);
    auto answer = co_await node.wallet_withdraw(*amount);
    co_return reply(answer);
}

Task<Result<std::string>> wallet_reservations(node::Control& node, Members) {
    auto answer = co_await node.wallet_reservations();
    co_return reply(answer);
}

Task<Result<std::string>> wallet_release(node::Control& node, Members members) {
    auto provider = address_of(members, "provider");
    if (!provider) co_return forward_error(provider);
    auto answer = co_await node.wallet_release(*provider);
    co_return reply(answer);
}

Task<Result<std::string>> proposals(node::Control& node, Members members) {
    auto query = proposal_query_of(members);
    if (!query) co_return forward_error(query);
    auto answer = co_await node.proposals(std::move(*query));
    co_return reply(answer);
}

Task<Result<std::string>> measure_latency(node::Control& node, Members members) {
    auto filter = filter_of(members);
    if (!filter) co_return forward_error(filter);
    auto answer = co_await node.measure_latency(std::move(*filter));
    co_return reply(answer);
}

Task<Result<std::string>> connect(node::Control& node, Members members) {
    auto filter = filter_of(members);
    if (!filter) co_return forward_error(filter);
    auto started = co_await node.connect(std::move(*filter));
    if (!started) co_return forward_error(started);
    co_return body_of(node.connection());
}

Task<Result<std::string>> connection(node::Control& node, Members) {
    co_return body_of(node.connection());
}

Task<Result<std::string>> disconnect(node::Control& node, Members) {
    auto answer = co_await node.disconnect();
    co_return reply(answer);
}

Task<Result<std::string>> provider_start(node::Control& node, Members) {
    auto answer = co_await node.provider_start();
    co_return reply(answer);
}

Task<Result<std::string>> provider_stop(node::Control& node, Members) {
    auto answer = co_await node.provider_stop();
    co_return reply(answer);
}

Task<Result<std::string>> provider_status(node::Control& node, Members) {
    auto answer = co_await node.provider_status();
    co_return reply(answer);
}

Task<Result<std::string>> provider_sessions(node::Control& node, Members) {
    auto answer = co_await node.provider_sessions();
    co_return reply(answer);
}

Task<Result<std::string>> provider_limits(node::Control& node, Members) {
    auto answer = co_await node.provider_limits();
    co_return reply(answer);
}

Task<Result<std::string>> provider_settle(node::Control& node, Members) {
    auto answer = co_await node.provider_settle();
    co_return reply(answer);
}

Task<Result<std::string>> provider_unregister(node::Control& node, Members) {
    auto answer = co_await node.provider_unregister();
    co_return reply(answer);
}

Task<Result<std::string>> provider_revoke(node::Control& node, Members members) {
    auto reason = reason_of(members);
    if (!reason) co_return forward_error(reason);
    auto answer = co_await node.provider_revoke(std::move(*reason));
    co_return reply(answer);
}

constexpr std::array<std::string_view, 1> kAmount{"amount"};
constexpr std::array<std::string_view, 1> kRelease{"provider"};
constexpr std::array<std::string_view, 1> kReason{"reason"};
constexpr std::array<std::string_view, 14> kProposals{
    "service",        "country", "city",        "max_price_gib", "max_price_hour", "provider", "min_stake",
    "min_reputation", "max_age", "max_latency", "sort",          "order",          "limit",    "cursor"};

constexpr Route kRoutes[] = {
    {"GET", "/v1/health", true, 200, {}, health},
    {"GET", "/v1/openapi.json", false, 200, {}, openapi},
    {"GET", "/v1/status", false, 200, {}, status},
    {"POST", "/v1/wallet", false, 201, {}, wallet_create},
    {"GET", "/v1/wallet", false, 200, {}, wallet_info},
    {"GET", "/v1/wallet/balance", false, 200, {}, wallet_balance},
    {"POST", "/v1/wallet/deposit", false, 200, kAmount, wallet_deposit},
    {"POST", "/v1/wallet/withdraw", false, 200, kAmount, wallet_withdraw},
    {"GET", "/v1/wallet/reservations", false, 200, {}, wallet_reservations},
    {"POST", "/v1/wallet/release", false, 200, kRelease, wallet_release},
    {"GET", "/v1/proposals", false, 200, kProposals, proposals},
    {"POST", "/v1/proposals/latency", false, 200, kFilterMembers, measure_latency},
    {"GET", "/v1/events", false, 101, {}, nullptr},
    {"POST", "/v1/connection", false, 202, kFilterMembers, connect},
    {"GET", "/v1/connection", false, 200, {}, connection},
    {"DELETE", "/v1/connection", false, 200, {}, disconnect},
    {"POST", "/v1/provider", false, 200, {}, provider_start},
    {"DELETE", "/v1/provider", false, 200, {}, provider_stop},
    {"GET", "/v1/provider", false, 200, {}, provider_status},
    {"GET", "/v1/provider/sessions", false, 200, {}, provider_sessions},
    {"GET", "/v1/provider/limits", false, 200, {}, provider_limits},
    {"POST", "/v1/provider/settle", false, 200, {}, provider_settle},
    {"POST", "/v1/provider/unregister", false, 200, {}, provider_unregister},
    {"POST", "/v1/provider/revoke", false, 200, kReason, provider_revoke},
};

}  // namespace

std::span<const Route> routes() {
    return kRoutes;
}

const Route* find_route(std::string_view method, std::string_view path) {
    for (const auto& route : kRoutes) {
        if (route.method == method && route.path == path) return &route;
    }
    return nullptr;
}

std::string allowed_methods(std::string_view path) {
    std::string list;
    for (const auto& route : kRoutes) {
        if (route.path != path) continue;
        if (!list.empty()) list += ", ";
        list += route.method;
    }
    return list;
}

unsigned status_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument: return 400;
        case ErrorCode::insufficient_funds: return 402;
        case ErrorCode::permission_denied: return 403;
        case ErrorCode::not_found: return 404;
        case ErrorCode::already_exists:
        case ErrorCode::failed_precondition: return 409;
        case ErrorCode::limit_exceeded: return 429;
        case ErrorCode::io:
        case ErrorCode::internal: return 500;
        case ErrorCode::invalid_data: return 502;
        case ErrorCode::unavailable: return 503;
        case ErrorCode::timeout: return 504;
    }
    return 500;
}

}  // namespace myst::api
