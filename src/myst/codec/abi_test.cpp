#include "myst/codec/abi.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "vectors/load.hpp"

namespace myst::codec::abi {
namespace {

constexpr std::string_view kOffset32 = "0000000000000000000000000000000000000000000000000000000000000020";

Bytes words(std::initializer_list<std::string_view> hex_words) {
    Bytes out;
    for (auto hex : hex_words) {
        const auto word = Hash32::parse(hex).value();
        out.insert(out.end(), word.bytes.begin(), word.bytes.end());
    }
    return out;
}

Hash32 right_padded(std::string_view text) {
    Hash32 word;
    std::copy(text.begin(), text.end(), word.bytes.begin());
    return word;
}

std::string spec_calldata(std::string_view signature) {
    const auto cases = test::load_json("abi_spec.json");
    for (const auto& each : cases.as_array()) {
        if (test::text(each, "signature") == signature) return test::text(each, "calldata");
    }
    return "missing";
}

TEST(Abi, SelectorsAndTopics) {
    EXPECT_EQ(selector("transfer(address,uint256)").hex(), "a9059cbb");
    EXPECT_EQ(event_topic("Transfer(address,address,uint256)").hex(),
              "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
}

TEST(Abi, EncodesTheExamplesOfTheSpecification) {
    EXPECT_EQ(to_hex0x(Encoder().word(right_padded("abc")).word(right_padded("def")).call("bar(bytes3[2])")),
              spec_calldata("bar(bytes3[2])"));
    EXPECT_EQ(to_hex0x(Encoder().uint(69).boolean(true).call("baz(uint32,bool)")), spec_calldata("baz(uint32,bool)"));
    EXPECT_EQ(to_hex0x(Encoder()
                           .dynamic_bytes(as_bytes("dave"))
                           .boolean(true)
                           .static_array({to_word(1), to_word(2), to_word(3)}, 1)
                           .call("sam(bytes,bool,uint256[])")),
              spec_calldata("sam(bytes,bool,uint256[])"));
    EXPECT_EQ(to_hex0x(Encoder()
                           .uint(0x123)
                           .static_array({to_word(0x456), to_word(0x789)}, 1)
                           .word(right_padded("1234567890"))
                           .dynamic_bytes(as_bytes("Hello, world!"))
                           .call("f(uint256,uint32[],bytes10,bytes)")),
              spec_calldata("f(uint256,uint32[],bytes10,bytes)"));
}

TEST(Abi, EncodesThePublishedVectors) {
    const auto cases = test::load_json("abi_basic.json");
    const auto result = [&](const char* name) { return test::text(cases.at(name), "result"); };
    EXPECT_EQ(to_hex(Encoder()
                         .uint(291)
                         .static_array({to_word(1110), to_word(1929)}, 1)
                         .word(right_padded("1234567890"))
                         .dynamic_bytes(as_bytes("Hello, world!"))
                         .finish()),
              result("GithubWikiTest"));
    EXPECT_EQ(to_hex(Encoder().uint(98127491).finish()), result("SingleInteger"));
    EXPECT_EQ(
        to_hex(Encoder().uint(324124).address(*Address::parse("cd2a3d9f938e13cd947ec05abc7fe734df8dd826")).finish()),
        result("IntegerAndAddress"));
}

TEST(Abi, DecodesWhatItEncodes) {
    const auto address = *Address::parse("cd2a3d9f938e13cd947ec05abc7fe734df8dd826");
    const auto data = Encoder()
                          .address(address)
                          .dynamic_bytes(as_bytes("Hello, world! This text needs more than one word."))
                          .amount(Amount::max())
                          .boolean(true)
                          .static_array({to_word(7), to_word(8)}, 1)
                          .uint(~std::uint64_t{0})
                          .finish();
    Decoder decoder(data);
    EXPECT_EQ(decoder.address(), address);
    EXPECT_EQ(as_text(decoder.dynamic_bytes().value()), "Hello, world! This text needs more than one word.");
    EXPECT_EQ(decoder.amount(), Amount::max());
    EXPECT_EQ(decoder.boolean(), true);
    EXPECT_EQ(decoder.word_array(2).value(), (std::vector<Hash32>{to_word(7), to_word(8)}));
    EXPECT_EQ(decoder.u64(), ~std::uint64_t{0});
}

TEST(Abi, ArraysOfTuplesCountElements) {
    const auto data = Encoder().static_array({to_word(1), to_word(2), to_word(3), to_word(4)}, 2).finish();
    EXPECT_EQ(data.size(), 6 * 32U);
    EXPECT_EQ(data[63], 2);
}

TEST(Abi, RefusesDirtyWords) {
    const auto refuses = [](std::string_view first_word, auto read) {
        const auto data = words({first_word});
        Decoder decoder(data);
        const auto result = read(decoder);
        return !result && result.error().code == ErrorCode::invalid_data;
    };
    const auto bit = [](std::size_t position) {
        std::string hex(64, '0');
        hex[63 - position / 4] = static_cast<char>('0' + (1 << (position % 4)));
        return hex;
    };
    EXPECT_TRUE(refuses(bit(160), [](Decoder& d) { return d.address(); }));
    EXPECT_FALSE(refuses(bit(159), [](Decoder& d) { return d.address(); }));
    EXPECT_TRUE(refuses(bit(96), [](Decoder& d) { return d.amount(); }));
    EXPECT_FALSE(refuses(bit(95), [](Decoder& d) { return d.amount(); }));
    EXPECT_TRUE(refuses(bit(64), [](Decoder& d) { return d.u64(); }));
    EXPECT_FALSE(refuses(bit(63), [](Decoder& d) { return d.u64(); }));
    EXPECT_TRUE(refuses(bit(1), [](Decoder& d) { return d.boolean(); }));
    EXPECT_TRUE(refuses(bit(255), [](Decoder& d) { return d.boolean(); }));
    EXPECT_FALSE(refuses(bit(255), [](Decoder& d) { return d.uint(); }));
    EXPECT_FALSE(address_from_word(*Hash32::parse(bit(160))));
}

TEST(Abi, RefusesShortData) {
    const Bytes short_word(31);
    EXPECT_FALSE(Decoder(short_word).word());
    EXPECT_FALSE(Decoder({}).uint());
    const auto one = to_word(1).hex();
    const auto max = std::string(64, 'f');
    for (const auto& data : {words({kOffset32}),                  // no length
                             words({max}),                        // a huge offset
                             words({kOffset32, max}),             // a huge length
                             words({kOffset32, one}),             // no content
                             words({to_word(64).hex(), one})}) {  // an offset at the end
        EXPECT_FALSE(Decoder(data).dynamic_bytes());
        EXPECT_FALSE(Decoder(data).word_array(100));
    }
}

TEST(Abi, RefusesBadPadding) {
    const auto one = to_word(1).hex();
    EXPECT_TRUE(Decoder(words({kOffset32, one, "ff" + std::string(62, '0')})).dynamic_bytes());
    EXPECT_FALSE(Decoder(words({kOffset32, one, "ff01" + std::string(60, '0')})).dynamic_bytes());
    auto cut = words({kOffset32, one, "ff" + std::string(62, '0')});
    cut.pop_back();
    EXPECT_FALSE(Decoder(cut).dynamic_bytes());
}

TEST(Abi, ArraysAreBounded) {
    const auto data = Encoder().static_array({to_word(1), to_word(2), to_word(3)}, 1).finish();
    EXPECT_TRUE(Decoder(data).word_array(3));
    EXPECT_FALSE(Decoder(data).word_array(2));
}

TEST(Abi, NothingFollowsTheLastHeadWord) {
    const auto data = Encoder().uint(1).finish();
    Decoder decoder(data);
    EXPECT_TRUE(decoder.word());
    EXPECT_FALSE(decoder.word());
}

TEST(Abi, PropertyIntegersRoundTrip) {
    EXPECT_TRUE(rc::check("to_word(to_uint(word)) = word", [](std::array<std::uint8_t, 32> bytes) {
        RC_ASSERT(to_word(to_uint({bytes})) == Hash32{bytes});
    }));
    EXPECT_TRUE(rc::check("u64 and amount", [](std::uint64_t value, std::uint32_t high) {
        const auto amount = *Amount::from_wide(static_cast<Uint128>(high) << 64 | value);
        const auto data = Encoder().uint(value).amount(amount).finish();
        Decoder decoder(data);
        RC_ASSERT(decoder.u64().value() == value);
        RC_ASSERT(decoder.amount().value() == amount);
    }));
}

TEST(Abi, PropertyDecoderNeverCrashes) {
    EXPECT_TRUE(rc::check("random words", [](const std::vector<std::uint8_t>& seeds) {
        Bytes data;
        for (auto seed : seeds) {
            // Mostly small numbers, which look like offsets and lengths.
            auto word = to_word(seed).bytes;
            if (seed % 16 == 15) word[seed % 32] = seed;
            data.insert(data.end(), word.begin(), word.end());
        }
        data.resize(data.size() - std::min<std::size_t>(data.size(), seeds.empty() ? 0 : seeds[0] % 40));
        (void)Decoder(data).dynamic_bytes();
        (void)Decoder(data).word_array(1000);
        Decoder in_order(data);
        (void)(in_order.address() && in_order.amount() && in_order.u64() && in_order.boolean());
    }));
}

}  // namespace
}  // namespace myst::codec::abi
