// Every route against everything a foreign page, another program or a broken client may send. The list of routes is
// the router's own, so a new route is covered by being there.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include "myst/api/routes.hpp"
#include "myst/api/test_support/running_server.hpp"

namespace myst::api {
namespace {

using test_support::kToken;
using test_support::RawResponse;
using test_support::request_text;
using test_support::RunningServer;
using test_support::send_raw;

class Attack : public testing::TestWithParam<std::size_t> {
protected:
    [[nodiscard]] static const Route& route() { return routes()[GetParam()]; }
    [[nodiscard]] std::string host() const { return fmt::format("127.0.0.1:{}", server_.port()); }
    /// Request line, the given header lines, an empty line, the body.
    [[nodiscard]] RawResponse send(std::string_view headers, std::string_view body = {},
                                   std::string_view version = "HTTP/1.1") const {
        return send_raw(server_.port(), fmt::format("{} {} {}\r\nConnection: close\r\n{}\r\n{}", route().method,
                                                    route().path, version, headers, body));
    }
    [[nodiscard]] std::string good_headers() const {
        return fmt::format("Host: {}\r\nAuthorization: Bearer {}\r\n", host(), kToken);
    }
    [[nodiscard]] std::string with_body(std::string_view type, std::size_t length) const {
        return fmt::format("{}Content-Type: {}\r\nContent-Length: {}\r\n", good_headers(), type, length);
    }
    /// The request was refused with this status, told so in JSON, and the node heard nothing of it.
    void expect_refused(const RawResponse& response, unsigned status) const {
        EXPECT_EQ(response.status, status) << route().method << " " << route().path << "\n" << response.head;
        EXPECT_TRUE(server_.node.changes().empty());
        EXPECT_EQ(response.head.find("Access-Control"), std::string::npos);
        EXPECT_EQ(response.head.find(kToken), std::string::npos);
        EXPECT_EQ(response.body.find(kToken), std::string::npos);
        boost::system::error_code ec;
        const auto body = boost::json::parse(response.body, ec);
        ASSERT_FALSE(ec) << response.body;
        EXPECT_EQ(body.as_object().at("v"), 1);
        EXPECT_TRUE(body.as_object().contains("error"));
        EXPECT_EQ(body.as_object().size(), 2U);
    }

    /// Answered, refused for the method, or not without an upgrade.
    static bool is_harmless(unsigned status) { return status == 200 || status == 405 || status == 426; }

    RunningServer server_;
};

TEST_P(Attack, WithoutToken) {
    const auto response = send(fmt::format("Host: {}\r\n", host()));
    if (route().open) {
        EXPECT_EQ(response.status, 200U);
        EXPECT_EQ(boost::json::parse(response.body), boost::json::parse(R"({"v":1,"status":"ok"})"));
    } else {
        expect_refused(response, 401);
    }
}

TEST_P(Attack, WithWrongToken) {
    if (route().open) return;  // needs no token; WithoutToken shows that it tells nothing
    const std::string wrong = std::string(kToken.substr(1)) + "0";
    for (const auto& value : {"Bearer " + wrong, "bearer " + std::string(kToken), std::string(kToken),
                              std::string("Bearer"), "Basic " + std::string(kToken)}) {
        expect_refused(send(fmt::format("Host: {}\r\nAuthorization: {}\r\n", host(), value)), 401);
    }
    const auto twice = fmt::format("{}Authorization: Bearer {}\r\n", good_headers(), wrong);
    expect_refused(send(twice), 401);
}

TEST_P(Attack, WithTokenInTheUrl) {
    if (route().open) return;  // needs no token; WithoutToken shows that it tells nothing
    expect_refused(
        send_raw(server_.port(), fmt::format("{} {}?token={} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                                             route().method, route().path, kToken, host())),
        401);
}

TEST_P(Attack, WithForeignHost) {
    const auto authorization = fmt::format("Authorization: Bearer {}\r\n", kToken);
    for (const auto& name : {fmt::format("evil.test:{}", server_.port()), std::string("127.0.0.1"),
                             fmt::format("127.0.0.1:{}", server_.port() ^ 1), std::string("localhost")}) {
        expect_refused(send(fmt::format("Host: {}\r\n{}", name, authorization)), 421);
    }
    expect_refused(send(authorization), 400);
    expect_refused(send(fmt::format("{}Host: evil.test\r\n", good_headers())), 400);
}

TEST_P(Attack, WithForeignOrigin) {
    for (const auto& origin : {std::string("null"), std::string("file://"), std::string("http://evil.test"),
                               "https://" + host(), fmt::format("http://localhost:{}", server_.port())}) {
        expect_refused(send(fmt::format("{}Origin: {}\r\n", good_headers(), origin)), 403);
    }
}

TEST_P(Attack, WithWrongContentType) {
    const std::string body = R"({"amount":"5"})";
    for (const auto* type : {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                             "application/jsonp", "application/json; charset=utf-16", "text/json"}) {
        expect_refused(send(with_body(type, body.size()), body), 415);
    }
    expect_refused(send(fmt::format("{}Content-Length: {}\r\n", good_headers(), body.size()), body), 415);
    expect_refused(send(good_headers() + "Content-Type: text/plain\r\n"), 415);
}

TEST_P(Attack, WithOversizeBody) {
    const std::string body((1U << 20) + 1, ' ');
    expect_refused(send(with_body("application/json", body.size()), body), 413);
    expect_refused(send(with_body("application/json", std::size_t{1} << 62)), 413);
}

TEST_P(Attack, WithDeepJson) {
    const std::string body = R"({"amount":)" + std::string(100, '[') + std::string(100, ']') + "}";
    expect_refused(send(with_body("application/json", body.size()), body), 400);
}

TEST_P(Attack, WithUnknownMembers) {
    const std::string body = R"({"colour":"red"})";
    const auto in_body = send(with_body("application/json", body.size()), body);
    expect_refused(in_body, 400);
    if (route().method == "POST") {
        EXPECT_NE(in_body.body.find("colour"), std::string::npos);
    }
    const auto target = std::string(route().path) + "?colour=red";
    const auto in_query = send_raw(server_.port(), request_text(server_.port(), route().method, target));
    expect_refused(in_query, 400);
    EXPECT_NE(in_query.body.find("colour"), std::string::npos);
}

TEST_P(Attack, WithTwoLengths) {
    const auto both = with_body("application/json", 5) + "Transfer-Encoding: chunked\r\n";
    expect_refused(send(both, "0\r\n\r\n"), 400);
    const auto reversed = fmt::format("{}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", good_headers());
    expect_refused(send(reversed, "0\r\n\r\n"), 400);
    expect_refused(send(with_body("application/json", 2) + "Content-Length: 4\r\n", "{}{}"), 400);
    const auto chunked = good_headers() + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
    expect_refused(send(chunked, "2\r\n{}\r\n0\r\n\r\n"), 411);
}

TEST_P(Attack, WithMethodOverride) {
    for (const auto* name : {"X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"}) {
        const auto header = fmt::format("{}: DELETE\r\n", name);
        const auto response = send_raw(server_.port(), request_text(server_.port(), "GET", route().path, {}, header));
        EXPECT_TRUE(is_harmless(response.status)) << response.status;
        EXPECT_TRUE(server_.node.changes().empty());
    }
}

TEST_P(Attack, WithOtherMethodsAndSpellings) {
    for (const auto* method : {"HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "CONNECT", "get", "FOO"}) {
        const auto response = send_raw(server_.port(), request_text(server_.port(), method, route().path));
        EXPECT_TRUE(response.status == 405 || response.status == 404 || response.status == 400)
            << method << response.head;
        EXPECT_EQ(response.head.find("Access-Control"), std::string::npos);
    }
    const std::string path(route().path);
    for (const auto& spelling : {path + "/", "/" + path, "/v1/../v1/" + path.substr(4), path + "%20", path + ";x=1",
                                 "/%76" + path.substr(2), path + "%00", "http://evil.test" + path}) {
        const auto response = send_raw(server_.port(), request_text(server_.port(), route().method, spelling));
        EXPECT_TRUE(response.status == 404 || response.status == 400) << spelling << " " << response.head;
    }
    EXPECT_TRUE(server_.node.changes().empty());
}

TEST_P(Attack, GetChangesNothing) {
    const auto response = send_raw(server_.port(), request_text(server_.port(), "GET", route().path));
    EXPECT_TRUE(is_harmless(response.status)) << response.head;
    EXPECT_TRUE(server_.node.changes().empty());
}

std::string route_name(const testing::TestParamInfo<std::size_t>& parameter) {
    const auto& route = routes()[parameter.param];
    auto name = std::string(route.method) + std::string(route.path);
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '/' || c == '.'; }, '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(EveryRoute, Attack, testing::Range<std::size_t>(0, routes().size()), route_name);

}  // namespace
}  // namespace myst::api
