// The routes are those of openapi.json, and what they answer has the documented schema.
#include "myst/api/routes.hpp"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>

#include "myst/api/openapi.hpp"
#include "myst/api/test_support/running_server.hpp"
#include "myst/api/test_support/schema.hpp"
#include "myst/ports/chain_status.hpp"

namespace myst::api {
namespace {

namespace json = boost::json;
using test_support::departures;
using test_support::openapi;
using test_support::request_text;
using test_support::RunningServer;
using test_support::send_raw;

const json::object& operation_of(const Route& route) {
    std::string method(route.method);
    std::transform(method.begin(), method.end(), method.begin(),
                   [](char c) { return static_cast<char>(c - 'A' + 'a'); });
    return openapi().at("paths").at(route.path).at(method).as_object();
}

const json::value& without_reference(const json::value& schema) {
    const auto* reference = schema.as_object().if_contains("$ref");
    return reference ? openapi().at_pointer(std::string(reference->as_string()).substr(1)) : schema;
}

std::set<std::string> documented_members(const json::object& operation) {
    std::set<std::string> names;
    if (const auto* parameters = operation.if_contains("parameters")) {
        for (const auto& parameter : parameters->as_array()) {
            EXPECT_EQ(parameter.at("in"), "query");
            names.emplace(parameter.at("name").as_string());
        }
    }
    if (const auto* body = operation.if_contains("requestBody")) {
        const auto& schema = without_reference(body->at("content").at("application/json").at("schema"));
        for (const auto& property : schema.at("properties").as_object()) names.emplace(property.key());
    }
    return names;
}

/// A body with which the route succeeds.
std::string good_body(const Route& route) {
    if (route.path == "/v1/wallet/deposit") return R"({"amount":"5"})";
    if (route.path == "/v1/wallet/release") return R"({"provider":"0x3333333333333333333333333333333333333333"})";
    return "";
}

TEST(Routes, AreThoseOfTheDocument) {
    std::set<std::string> documented;
    for (const auto& path : openapi().at("paths").as_object()) {
        for (const auto& method : path.value().as_object()) {
            std::string name(method.key());
            std::transform(name.begin(), name.end(), name.begin(),
                           [](char c) { return static_cast<char>(c - 'a' + 'A'); });
            documented.insert(name + " " + std::string(path.key()));
        }
    }
    std::set<std::string> served;
    for (const auto& route : routes()) {
        EXPECT_TRUE(served.insert(std::string(route.method) + " " + std::string(route.path)).second);
    }
    EXPECT_EQ(served, documented);
}

TEST(Routes, TakeTheDocumentedMembersAndAnswerWithTheDocumentedStatus) {
    for (const auto& route : routes()) {
        const auto& operation = operation_of(route);
        EXPECT_EQ(std::set<std::string>(route.members.begin(), route.members.end()), documented_members(operation))
            << route.path;
        EXPECT_TRUE(operation.at("responses").as_object().contains(std::to_string(route.status))) << route.path;
        const auto* security = operation.if_contains("security");
        EXPECT_EQ(route.open, security != nullptr && security->as_array().empty()) << route.path;
    }
}

TEST(Routes, OnlyHealthIsOpen) {
    for (const auto& route : routes()) EXPECT_EQ(route.open, route.path == "/v1/health") << route.path;
}

TEST(Routes, EveryAnswerHasTheDocumentedSchema) {
    RunningServer server;
    server.node.script_connection({test_support::sample_connection()});
    for (const auto& route : routes()) {
        if (route.handler == nullptr) continue;  // an event stream
        const auto response =
            send_raw(server.port(), request_text(server.port(), route.method, route.path, good_body(route)));
        ASSERT_EQ(response.status, route.status) << route.path << ": " << response.body;
        const auto body = json::parse(response.body);
        const auto& documented = operation_of(route).at("responses").at(std::to_string(route.status));
        const auto found = departures(body, documented.at("content").at("application/json").at("schema"));
        EXPECT_TRUE(found.empty()) << route.method << " " << route.path << ": " << found.front();
        EXPECT_NE(response.head.find("\r\nContent-Type: application/json"), std::string::npos);
        EXPECT_NE(response.head.find("\r\nCache-Control: no-store"), std::string::npos);
    }
}

TEST(Routes, EveryFailureHasTheDocumentedSchemaAndStatus) {
    RunningServer server;
    const std::pair<ErrorCode, unsigned> codes[] = {
        {ErrorCode::invalid_argument, 400},    {ErrorCode::invalid_data, 502}, {ErrorCode::not_found, 404},
        {ErrorCode::already_exists, 409},      {ErrorCode::unavailable, 503},  {ErrorCode::timeout, 504},
        {ErrorCode::limit_exceeded, 429},      {ErrorCode::io, 500},           {ErrorCode::permission_denied, 403},
        {ErrorCode::failed_precondition, 409}, {ErrorCode::internal, 500},     {ErrorCode::insufficient_funds, 402},
    };
    const auto& schema = openapi().at_pointer("/components/schemas/Error");
    for (const auto& [code, status] : codes) {
        server.node.fail_with(Error{code, "what happened", "what to do"});
        const auto response = send_raw(server.port(), request_text(server.port(), "GET", "/v1/wallet"));
        EXPECT_EQ(response.status, status);
        const auto body = json::parse(response.body);
        EXPECT_TRUE(departures(body, schema).empty()) << response.body;
        EXPECT_EQ(body.at("error").at("code"), json::string(to_string(code)));
    }
}

template <class State>
void expect_documented(const std::string& schema, const std::vector<State>& states) {
    json::array words;
    for (const auto state : states) words.emplace_back(to_string(state));
    EXPECT_EQ(openapi().at("components").at("schemas").at(schema).at("enum"), words) << schema;
}

TEST(Routes, StatesOfTheChainAreThoseOfTheDocument) {
    using ports::EndpointState;
    using ports::IndexState;
    expect_documented<EndpointState>(
        "EndpointState", {EndpointState::refused, EndpointState::unreachable, EndpointState::unknown,
                          EndpointState::lagging, EndpointState::disagrees, EndpointState::slow, EndpointState::ok});
    expect_documented<IndexState>("IndexState", {IndexState::starting, IndexState::catching_up, IndexState::following,
                                                 IndexState::unreachable, IndexState::halted});
}

TEST(Routes, ArgumentsReachTheNode) {
    RunningServer server;
    const auto port = server.port();
    EXPECT_EQ(send_raw(port, request_text(port, "POST", "/v1/wallet/deposit", R"({"amount":"2500"})")).status, 200U);
    EXPECT_EQ(send_raw(port, request_text(port, "POST", "/v1/wallet/withdraw", R"({"amount":"7"})")).status, 200U);
    EXPECT_EQ(send_raw(port, request_text(port, "POST", "/v1/wallet/withdraw")).status, 200U);
    EXPECT_EQ(
        send_raw(port, request_text(port, "POST", "/v1/connection", R"({"country":"nl","max_price_gib":"9"})")).status,
        202U);
    EXPECT_EQ(server.node.last_filter().country, "NL");
    EXPECT_EQ(server.node.last_filter().max_per_gib, Amount(9));
    EXPECT_EQ(send_raw(port, request_text(port, "GET", "/v1/proposals?country=SE&limit=3")).status, 200U);
    EXPECT_EQ(server.node.last_filter().country, "SE");
    EXPECT_EQ(server.node.last_query().limit, 3U);
    EXPECT_FALSE(server.node.last_query().reversed);
    EXPECT_EQ(send_raw(port, request_text(port, "GET",
                                          "/v1/proposals?city=S%C3%A3o%20Paulo&min_stake=5&min_reputation=7&max_age=60"
                                          "&sort=reputation&order=worst&cursor=0"))
                  .status,
              200U);
    const auto query = server.node.last_query();
    EXPECT_EQ(query.filter.city, "S\u00e3o Paulo");
    EXPECT_EQ(query.filter.min_stake, Amount(5));
    EXPECT_EQ(query.filter.min_reputation, 7U);
    EXPECT_EQ(query.filter.max_age, seconds(60));
    EXPECT_EQ(query.order, node::OfferOrder::reputation);
    EXPECT_TRUE(query.reversed);
    EXPECT_EQ(query.cursor, "0");
    EXPECT_EQ(send_raw(port, request_text(port, "GET", "/v1/proposals?sort=latency&max_latency=250")).status, 200U);
    EXPECT_EQ(server.node.last_query().order, node::OfferOrder::latency);
    EXPECT_EQ(server.node.last_query().max_latency, milliseconds(250));
    EXPECT_EQ(send_raw(port, request_text(port, "POST", "/v1/proposals/latency", R"({"country":"fi"})")).status, 200U);
    EXPECT_EQ(server.node.last_filter().country, "FI");
    EXPECT_EQ(send_raw(port, request_text(port, "DELETE", "/v1/connection")).status, 200U);
    EXPECT_EQ(server.node.changes(), (std::vector<std::string>{"deposit 2500", "withdraw 7", "withdraw all", "connect",
                                                               "measure", "disconnect"}));
}

TEST(Routes, ProposalsAreAnsweredWithOrWithoutAnIndex) {
    RunningServer server;
    const auto& schema = openapi().at_pointer("/components/schemas/ProposalsReply");
    const auto ask = [&] {
        const auto response = send_raw(server.port(), request_text(server.port(), "GET", "/v1/proposals"));
        auto body = json::parse(response.body);
        EXPECT_TRUE(departures(body, schema).empty()) << response.body;
        return body.at("proposals").at(0).as_object();
    };
    const auto full = ask();
    EXPECT_EQ(full.at("stake"), "5000000000000000000");
    EXPECT_EQ(full.at("registered"), true);
    EXPECT_EQ(full.at("reputation"), 11);
    EXPECT_EQ(full.at("latency_ms"), 83);
    EXPECT_EQ(full.at("sales").at("settlements"), 12);
    EXPECT_EQ(full.at("sales").at("payers"), 3);
    EXPECT_EQ(full.at("sales").at("volume"), "1750000000000000000");
    EXPECT_EQ(full.at("sales").at("disputed"), "200000000000000000");
    server.node.forget_sales();
    const auto light = ask();
    EXPECT_TRUE(light.at("sales").is_null());
    EXPECT_TRUE(light.at("reputation").is_null());
    EXPECT_TRUE(light.at("latency_ms").is_null());
}

TEST(Routes, ABadQueryOfProposalsNamesItsMember) {
    RunningServer server;
    for (const auto* member : {"city=", "min_stake=-1", "min_reputation=48", "max_age=86401", "max_latency=10001",
                               "sort=name", "order=asc", "limit=501", "limit=0"}) {
        const auto path = std::string("/v1/proposals?") + member;
        const auto response = send_raw(server.port(), request_text(server.port(), "GET", path));
        EXPECT_EQ(response.status, 400U) << member;
        const std::string_view name(member, std::string_view(member).find('='));
        EXPECT_NE(response.body.find(name), std::string::npos) << response.body;
    }
}

TEST(Routes, AMissingAmountIsRefused) {
    RunningServer server;
    const auto response = send_raw(server.port(), request_text(server.port(), "POST", "/v1/wallet/deposit", "{}"));
    EXPECT_EQ(response.status, 400U);
    EXPECT_NE(response.body.find("amount is missing"), std::string::npos);
    EXPECT_TRUE(server.node.changes().empty());
}

TEST(Routes, AnExceptionBecomesAnAnswerWithoutDetails) {
    RunningServer server;
    server.node.throw_from_status();
    const auto response = send_raw(server.port(), request_text(server.port(), "GET", "/v1/status"));
    EXPECT_EQ(response.status, 500U);
    EXPECT_EQ(response.body.find("secret detail"), std::string::npos) << response.body;
    EXPECT_EQ(send_raw(server.port(), request_text(server.port(), "GET", "/v1/health")).status, 200U);
}

TEST(Routes, TheServedDocumentIsTheSource) {
    RunningServer server;
    const auto response = send_raw(server.port(), request_text(server.port(), "GET", "/v1/openapi.json"));
    EXPECT_EQ(response.body, openapi_document());
}

}  // namespace
}  // namespace myst::api
