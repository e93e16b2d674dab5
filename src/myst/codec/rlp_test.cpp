#include "myst/codec/rlp.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "vectors/load.hpp"

namespace myst::codec::rlp {
namespace {

namespace json = boost::json;

Item bytes_item(BytesView bytes) {
    return {Bytes(bytes.begin(), bytes.end())};
}

/// The vectors write "#…" for a large integer, "0x…" for bytes, numbers for integers and texts for themselves.
Item item_of(const json::value& value) {
    if (value.is_array()) {
        std::vector<Item> items;
        for (const auto& child : value.as_array()) items.push_back(item_of(child));
        return {std::move(items)};
    }
    if (value.is_int64()) return integer(static_cast<std::uint64_t>(value.as_int64()));
    const std::string text(value.as_string().data(), value.as_string().size());
    if (text.starts_with("0x")) return {parse_hex(text).value()};
    if (!text.starts_with('#')) return bytes_item(as_bytes(text));
    // One vector has 257 bits, more than our integers: its bytes are computed here.
    Bytes bytes;
    boost::multiprecision::export_bits(boost::multiprecision::cpp_int(text.substr(1)), std::back_inserter(bytes), 8);
    return {std::move(bytes)};
}

DecodeError error_of(std::string_view hex) {
    const auto item = decode(parse_hex(hex).value());
    EXPECT_FALSE(item) << hex;
    return item ? DecodeError{} : item.error();
}

TEST(Rlp, ValidVectors) {
    const auto cases = test::load_json("rlp_valid.json");
    EXPECT_GE(cases.as_object().size(), 28U);
    for (const auto& each : cases.as_object()) {
        SCOPED_TRACE(std::string(each.key()));
        const auto item = item_of(each.value().at("in"));
        const auto encoded = test::hex(each.value(), "out");
        EXPECT_EQ(to_hex(encode(item)), to_hex(encoded));
        const auto decoded = decode(encoded);
        ASSERT_TRUE(decoded);
        EXPECT_EQ(*decoded, item);
    }
}

TEST(Rlp, InvalidVectors) {
    const auto cases = test::load_json("rlp_invalid.json");
    EXPECT_GE(cases.as_object().size(), 26U);
    for (const auto& each : cases.as_object()) {
        EXPECT_FALSE(decode(test::hex(each.value(), "out"))) << std::string(each.key());
    }
}

TEST(Rlp, IntegersAreShortest) {
    EXPECT_EQ(to_hex(encode(integer(0))), "80");
    EXPECT_EQ(to_hex(encode(integer(0x7f))), "7f");
    EXPECT_EQ(to_hex(encode(integer(256))), "820100");
    EXPECT_EQ(to_hex(encode(integer(std::numeric_limits<Uint256>::max()))), "a0" + std::string(64, 'f'));
}

TEST(Rlp, SaysWhatIsWrong) {
    EXPECT_EQ(error_of(""), DecodeError::truncated);
    EXPECT_EQ(error_of("83646f"), DecodeError::truncated);
    EXPECT_EQ(error_of("b8"), DecodeError::truncated);
    EXPECT_EQ(error_of("bfffffffffffffffff"), DecodeError::truncated);
    EXPECT_EQ(error_of("c283"), DecodeError::truncated);
    EXPECT_EQ(error_of("c182"), DecodeError::truncated);
    EXPECT_EQ(error_of("0000"), DecodeError::trailing_bytes);
    EXPECT_EQ(error_of("c000"), DecodeError::trailing_bytes);
    EXPECT_EQ(error_of("8100"), DecodeError::non_canonical);
    EXPECT_EQ(error_of("c28100"), DecodeError::non_canonical);
    EXPECT_EQ(error_of("b837" + std::string(110, '0')), DecodeError::non_canonical);
    EXPECT_EQ(error_of("b90038" + std::string(112, '0')), DecodeError::non_canonical);
    EXPECT_EQ(to_string(DecodeError::too_deep), "nested too deeply");
}

/// `depth` lists, each the only element of the one around it.
Item nested_lists(int depth) {
    Item item{std::vector<Item>{}};
    for (int i = 1; i < depth; ++i) item = Item{std::vector<Item>{std::move(item)}};
    return item;
}

TEST(Rlp, DepthIsBounded) {
    EXPECT_TRUE(decode(encode(nested_lists(64))));
    const auto deep = decode(encode(nested_lists(65)));
    ASSERT_FALSE(deep);
    EXPECT_EQ(deep.error(), DecodeError::too_deep);
}

Item arbitrary_item(int depth) {
    if (depth == 0 || *rc::gen::inRange(0, 3) != 0) {
        const auto length =
            *rc::gen::elementOf(std::vector<std::size_t>{0, 1, 1, 2, 20, 32, 55, 56, 57, 255, 256, 300});
        return {*rc::gen::container<Bytes>(length, rc::gen::arbitrary<std::uint8_t>())};
    }
    std::vector<Item> items;
    for (int left = *rc::gen::inRange(0, 5); left > 0; --left) items.push_back(arbitrary_item(depth - 1));
    return {std::move(items)};
}

TEST(Rlp, PropertyDecodeUndoesEncode) {
    EXPECT_TRUE(rc::check("decode(encode(item)) = item", [] {
        const auto item = arbitrary_item(5);
        RC_ASSERT(decode(encode(item)).value() == item);
    }));
}

TEST(Rlp, PropertyWhatDecodesIsCanonical) {
    EXPECT_TRUE(rc::check("encode(decode(bytes)) = bytes, for mutated encodings", [] {
        auto bytes = encode(arbitrary_item(4));
        for (int left = *rc::gen::inRange(0, 4); left > 0; --left) {
            bytes[*rc::gen::inRange<std::size_t>(0, bytes.size())] = *rc::gen::arbitrary<std::uint8_t>();
        }
        if (const auto item = decode(bytes)) RC_ASSERT(encode(*item) == bytes);
    }));
    EXPECT_TRUE(rc::check("and for random bytes", [](const Bytes& bytes) {
        if (const auto item = decode(bytes)) RC_ASSERT(encode(*item) == bytes);
    }));
}

}  // namespace
}  // namespace myst::codec::rlp
