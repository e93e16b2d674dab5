#include "myst/crypto/strict_json.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/base/bytes.hpp"

namespace myst::crypto {
namespace {

constexpr std::size_t kLimit = 4096;

std::string nested(std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
}

TEST(StrictJson, AcceptsOneValue) {
    const auto value =
        parse_json(R"( {"a":[1,-2,18446744073709551615,1.5,true,null,"\u00e9\n"],"b":{"a":{}}} )", kLimit);
    ASSERT_TRUE(value);
    EXPECT_EQ(value->at("a").at(1).as_int64(), -2);
    EXPECT_EQ(value->at("a").at(2).as_uint64(), ~std::uint64_t{0});
    EXPECT_EQ(value->at("a").at(6).as_string(), "é\n");
}

TEST(StrictJson, RefusesDuplicateNames) {
    for (const char* bad : {R"({"a":1,"a":1})", R"({"x":{"a":1,"b":2,"a":3}})", R"([{"a":{}, "\u0061":2}])"}) {
        const auto value = parse_json(bad, kLimit);
        ASSERT_FALSE(value) << bad;
        EXPECT_EQ(value.error().code, ErrorCode::invalid_data);
    }
    EXPECT_TRUE(parse_json(R"([{"a":1},{"a":2}])", kLimit));
    EXPECT_TRUE(parse_json(R"({"a":{"a":{"a":1}}})", kLimit));
    // Names longer than the parser's internal buffer arrive in parts.
    const std::string name(9000, 'k');
    EXPECT_TRUE(parse_json("{\"" + name + "1\":1,\"" + name + "2\":1}", 100'000));
    EXPECT_FALSE(parse_json("{\"" + name + "\":1,\"" + name + "\":1}", 100'000));
}

TEST(StrictJson, RefusesBadSyntax) {
    for (const char* bad : {"", " ", "{", "{}}", "{} x", "[1,]", "{'a':1}", "{a:1}", "// c\n1", "01", "+1", "NaN",
                            "\"\xff\"", "\"\\ud800\"", "\"\n\"", "\"", "1 2"}) {
        EXPECT_FALSE(parse_json(bad, kLimit)) << bad;
    }
}

TEST(StrictJson, IsBounded) {
    EXPECT_TRUE(parse_json(nested(kJsonMaxDepth), kLimit));
    EXPECT_FALSE(parse_json(nested(kJsonMaxDepth + 1), kLimit));
    const auto large = parse_json(std::string(kLimit + 1, ' '), kLimit);
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().code, ErrorCode::limit_exceeded);
}

TEST(StrictJson, PropertyNeverCrashes) {
    EXPECT_TRUE(rc::check("random JSON-like text", [](const std::vector<std::uint8_t>& noise) {
        static constexpr std::string_view kPieces[] = {"{", "}", "[", "]", ",", ":", "\"a\"", "\"", "1", "\\u", "true"};
        std::string text;
        for (auto byte : noise) text += kPieces[byte % std::size(kPieces)];
        (void)parse_json(text, kLimit);
        (void)parse_json(as_text(noise), kLimit);
    }));
}

}  // namespace
}  // namespace myst::crypto
