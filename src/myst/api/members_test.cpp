#include "myst/api/members.hpp"

#include <gtest/gtest.h>

#include "myst/api/filter_members.hpp"

namespace myst::api {
namespace {

constexpr std::string_view kNames[] = {"service", "amount"};

std::string refusal_of_query(std::string_view query) {
    auto members = members_of_query(query, kNames);
    return members ? "" : members.error().describe();
}

std::string refusal_of_body(std::string_view body) {
    auto members = members_of_body(body, kNames);
    return members ? "" : members.error().describe();
}

TEST(Members, AQueryIsDecoded) {
    const auto members = members_of_query("service=wire%67uard&amount=1", kNames);
    ASSERT_TRUE(members);
    EXPECT_EQ(*members, (Members{{"service", "wireguard"}, {"amount", "1"}}));
    EXPECT_TRUE(members_of_query("", kNames)->empty());
}

TEST(Members, AQueryIsRefusedWithTheNameOfWhatIsWrong) {
    EXPECT_EQ(refusal_of_query("color=red"), "query: unknown member \"color\" (known: service, amount)");
    EXPECT_EQ(refusal_of_query("amount=1&amount=2"), "query: amount occurs twice");
    EXPECT_EQ(refusal_of_query("amount=%zz"), "the query is badly encoded");
    EXPECT_EQ(refusal_of_query("a%00%ff%22=1"), "query: unknown member \"a???\" (known: service, amount)");
    EXPECT_NE(refusal_of_query("amount=" + std::string(1025, '1')), "");
    EXPECT_NE(refusal_of_query(std::string(40, '&')), "");
    EXPECT_NE(refusal_of_query("=1"), "");
}

TEST(Members, ABodyHoldsTextsOnly) {
    const auto members = members_of_body(R"( {"service":"wireguard","amount":"1"} )", kNames);
    ASSERT_TRUE(members);
    EXPECT_EQ(*members, (Members{{"service", "wireguard"}, {"amount", "1"}}));
    EXPECT_TRUE(members_of_body("", kNames)->empty());
    EXPECT_TRUE(members_of_body("{}", kNames)->empty());
    EXPECT_NE(refusal_of_body(R"({"amount":1})").find("amount must be a JSON string"), std::string::npos);
    EXPECT_NE(refusal_of_body(R"({"amount":null})").find("amount must be a JSON string"), std::string::npos);
    EXPECT_EQ(refusal_of_body(R"({"color":1})"), "body: unknown member \"color\" (known: service, amount)");
    EXPECT_NE(refusal_of_body(R"({"amount":"1","amount":"2"})").find("occurs twice"), std::string::npos);
    EXPECT_NE(refusal_of_body(R"({"amount":"1","\u0061mount":"2"})").find("occurs twice"), std::string::npos);
    for (const auto* text : {"[]", "null", "\"amount\"", "{", "{}{}", "{\"amount\":NaN}", "{amount:1}", "\xff"}) {
        EXPECT_NE(refusal_of_body(text), "") << text;
    }
}

TEST(Members, NestingIsBounded) {
    const auto nested = [](int depth) {
        return R"({"color":)" + std::string(static_cast<std::size_t>(depth), '[') +
               std::string(static_cast<std::size_t>(depth), ']') + "}";
    };
    EXPECT_NE(refusal_of_body(nested(31)).find("unknown member"), std::string::npos) << refusal_of_body(nested(31));
    EXPECT_NE(refusal_of_body(nested(33)).find("bad JSON"), std::string::npos) << refusal_of_body(nested(33));
}

TEST(Members, AmountsAreStrictDecimals) {
    EXPECT_EQ(amount_of({{"amount", "79228162514264337593543950335"}})->value(), Amount::max());
    EXPECT_FALSE(amount_of({})->has_value());
    for (const auto* text :
         {"", "0", "-1", "+1", "01", "1.0", "1e3", " 1", "0x1", "NaN", "79228162514264337593543950336"}) {
        EXPECT_FALSE(amount_of({{"amount", text}})) << text;
    }
}

TEST(Members, AFilterTakesWhatIsGiven) {
    const auto filter = filter_of({{"service", "wireguard"},
                                   {"country", "de"},
                                   {"max_price_gib", "0"},
                                   {"max_price_hour", "7"},
                                   {"provider", std::string(64, 'a')}});
    ASSERT_TRUE(filter) << filter.error().describe();
    EXPECT_EQ(filter->service, "wireguard");
    EXPECT_EQ(filter->country, "DE");
    EXPECT_EQ(filter->max_per_gib, Amount(0));
    EXPECT_EQ(filter->max_per_hour, Amount(7));
    EXPECT_EQ(filter->provider->hex(), std::string(64, 'a'));
    const auto query = proposal_query_of({{"limit", "500"}, {"country", "de"}});
    ASSERT_TRUE(query);
    EXPECT_EQ(query->limit, 500U);
    EXPECT_EQ(query->filter.country, "DE");
    const auto none = filter_of({});
    ASSERT_TRUE(none);
    EXPECT_FALSE(none->max_per_gib || none->max_per_hour || none->provider);
    EXPECT_EQ(proposal_query_of({})->limit, 50U);
}

TEST(Members, AFilterNamesTheMemberThatIsWrong) {
    const std::pair<const char*, std::string> wrong[] = {
        {"service", ""},
        {"service", "Wire Guard"},
        {"service", std::string(33, 'a')},
        {"country", "D"},
        {"country", "DEU"},
        {"country", "1Z"},
        {"max_price_gib", "0.1"},
        {"max_price_hour", "-1"},
        {"provider", "abcd"},
        {"provider", "0x" + std::string(64, 'a')},
        {"limit", "0"},
        {"limit", "501"},
        {"limit", "18446744073709551617"},
        {"limit", "1.0"},
    };
    for (const auto& [name, value] : wrong) {
        const auto filter = proposal_query_of({{name, value}});
        ASSERT_FALSE(filter) << name << " " << value;
        EXPECT_TRUE(filter.error().message.starts_with(name)) << filter.error().message;
        EXPECT_EQ(filter.error().code, ErrorCode::invalid_argument);
    }
}

}  // namespace
}  // namespace myst::api
