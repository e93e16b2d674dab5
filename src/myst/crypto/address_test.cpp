#include "myst/crypto/address.hpp"

#include <gtest/gtest.h>

#include "vectors/load.hpp"

namespace myst::crypto {
namespace {

TEST(Address, ChecksumsMatchEip55) {
    const auto cases = test::load_json("eip55.json");
    ASSERT_EQ(cases.as_array().size(), 8U);
    for (const auto& each : cases.as_array()) {
        const std::string text(each.as_string().c_str());
        const auto address = parse_address(text);
        ASSERT_TRUE(address) << text;
        EXPECT_EQ(to_checksum(*address), text);
    }
}

TEST(Address, AcceptsOneCaseOrTheRightChecksum) {
    const auto expected = *Address::parse("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed");
    EXPECT_EQ(parse_address("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"), expected);
    EXPECT_EQ(parse_address("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed"), expected);
    EXPECT_EQ(parse_address("0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED"), expected);
}

TEST(Address, RefusesMistypedText) {
    for (const char* bad : {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD",   // the last letter's case is wrong
                            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAec",   // one digit is wrong
                            "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",     // no prefix
                            "0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",   // the prefix is not "0x"
                            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",    // 39 digits
                            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAedd",  // 41 digits
                            "0x0x5aeb6053f3e94c9b9a09f33669435e7ef1beae",   // a second prefix
                            "0xgaaeb6053f3e94c9b9a09f33669435e7ef1beaed",   // not hex
                            " 0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",  // a blank
                            "", "0x"}) {
        const auto parsed = parse_address(bad);
        ASSERT_FALSE(parsed) << bad;
        EXPECT_EQ(parsed.error().code, ErrorCode::invalid_argument);
    }
}

}  // namespace
}  // namespace myst::crypto
