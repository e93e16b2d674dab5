#include "myst/codec/eip712.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/codec/permit.hpp"
#include "vectors/load.hpp"

namespace myst::codec::eip712 {
namespace {

namespace json = boost::json;

json::object mail() {
    const auto cases = test::load_json("typed_data.json");
    for (const auto& each : cases.as_array()) {
        if (test::text(each, "name") == "EIP712 example") return each.at("document").as_object();
    }
    throw std::runtime_error("the example of EIP-712 is missing");
}

Result<Hash32> hash(const json::value& document) {
    return hash_typed_data(json::serialize(document));
}

/// A document with one struct T of one field x, for trying types and values.
json::value single(std::string_view type, const json::value& value) {
    const json::array fields{json::object{{"name", "x"}, {"type", type}}};
    return json::object{{"types", json::object{{"EIP712Domain", json::array{}}, {"T", fields}}},
                        {"primaryType", "T"},
                        {"domain", json::object{}},
                        {"message", json::object{{"x", value}}}};
}

TEST(TypedData, PublishedVectors) {
    const auto cases = test::load_json("typed_data.json");
    EXPECT_GE(cases.as_array().size(), 130U);
    for (const auto& each : cases.as_array()) {
        SCOPED_TRACE(test::text(each, "name"));
        const auto digest = hash(each.at("document"));
        ASSERT_TRUE(digest) << digest.error().message;
        EXPECT_EQ(digest->hex0x(), test::text(each, "digest"));
        if (!each.as_object().contains("signature")) continue;
        const auto signature = test::private_key(each, "privateKey").sign(*digest);
        const auto v = signature.y_parity() == 0 ? "1b" : "1c";
        EXPECT_EQ(signature.r.hex0x() + signature.s().hex() + v, test::text(each, "signature"));
    }
}

TEST(TypedData, FixedStructsAgreeWithTheExampleOfEip712) {
    const auto person = [](std::string_view name, std::string_view wallet) {
        return StructHasher("Person(string name,address wallet)")
            .dynamic(as_bytes(name))
            .address(Address::parse(wallet).value())
            .hash();
    };
    EXPECT_EQ(type_hash("Mail(Person from,Person to,string contents)Person(string name,address wallet)").hex(),
              "a0cedeb2dc280ba39b857546d74f5549c3a1d7bdc2dd96bf881f76108e23dac2");
    const auto message = StructHasher("Mail(Person from,Person to,string contents)Person(string name,address wallet)")
                             .word(person("Cow", "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826"))
                             .word(person("Bob", "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB"))
                             .dynamic(as_bytes("Hello, Bob!"))
                             .hash();
    EXPECT_EQ(message.hex(), "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e");
    const Domain domain{"Ether Mail", "1", 1, *Address::parse("0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC")};
    EXPECT_EQ(domain.separator().hex(), "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f");
    EXPECT_EQ(digest(domain.separator(), message).hex(),
              "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2");
    EXPECT_EQ(hash(mail()), digest(domain.separator(), message));
}

TEST(TypedData, HasherWritesWords) {
    const auto wide = *Amount::from_wide(Uint128{0x0102030405060708} << 32 | 0x090a0b0c);
    EXPECT_EQ(StructHasher("T()").u64(0x1122).hash(), StructHasher("T()").uint(0x1122).hash());
    EXPECT_EQ(StructHasher("T()").amount(wide).hash(),
              StructHasher("T()").word(*Hash32::parse(std::string(40, '0') + "0102030405060708090a0b0c")).hash());
    EXPECT_EQ(StructHasher(type_hash("T()")).hash(), StructHasher("T()").hash());
}

// The type hash is the constant that the reference token of EIP-2612 carries.
TEST(Permit, IsTheStructOfEip2612) {
    EXPECT_EQ(type_hash("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)").hex(),
              "6e71edae12b1b97f4d1f60370fef10105fa2faae0126114a169c64845d6126c9");
    const Domain token{"Myst", "1", 31337, *Address::parse("0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC")};
    const auto owner = *Address::parse("0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826");
    const auto spender = *Address::parse("0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB");
    const auto field = [](const char* name, const char* type) { return json::object{{"name", name}, {"type", type}}; };
    const json::array domain_type{field("name", "string"), field("version", "string"), field("chainId", "uint256"),
                                  field("verifyingContract", "address")};
    const json::array permit_type{field("owner", "address"), field("spender", "address"), field("value", "uint256"),
                                  field("nonce", "uint256"), field("deadline", "uint256")};
    const json::object document{{"types", json::object{{"EIP712Domain", domain_type}, {"Permit", permit_type}}},
                                {"primaryType", "Permit"},
                                {"domain", json::object{{"name", token.name},
                                                        {"version", token.version},
                                                        {"chainId", token.chain_id},
                                                        {"verifyingContract", token.verifying_contract.hex0x()}}},
                                {"message", json::object{{"owner", owner.hex0x()},
                                                         {"spender", spender.hex0x()},
                                                         {"value", "1000000000000000000000"},
                                                         {"nonce", 3},
                                                         {"deadline", "0x6553f100"}}}};
    EXPECT_EQ(hash(document),
              permit_digest(token.separator(), {owner, spender, Uint256("1000000000000000000000"), 3, 0x6553f100}));
}

TEST(TypedData, AcceptsBoundaryValues) {
    const std::pair<const char*, json::value> cases[] = {{"uint8", 255},
                                                         {"uint8", "255"},
                                                         {"uint8", "0xff"},
                                                         {"int8", -128},
                                                         {"int8", "-128"},
                                                         {"int8", 127},
                                                         {"bytes1", "0xff"},
                                                         {"bytes", "0x"},
                                                         {"bool", false},
                                                         {"string", ""},
                                                         {"uint8[]", json::array{}},
                                                         {"uint8[2][]", json::array{json::value(json::array{1, 2})}},
                                                         {"uint64", ~std::uint64_t{0}}};
    for (const auto& [type, value] : cases) {
        EXPECT_TRUE(hash(single(type, value))) << type << " " << json::serialize(value);
    }
}

TEST(TypedData, RefusesValuesOutOfRange) {
    const json::value address = "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD827";  // a wrong checksum
    const std::pair<const char*, json::value> cases[] = {
        {"uint8", 256},
        {"uint8", -1},
        {"uint8", "256"},
        {"uint8", 1.0},
        {"uint8", ""},
        {"uint8", "01"},
        {"uint8", "-0"},
        {"uint8", "+1"},
        {"uint8", "0x"},
        {"uint8", "-0x1"},
        {"uint8", "1e1"},
        {"uint8", nullptr},
        {"uint8", true},
        {"int8", 128},
        {"int8", -129},
        {"int8", "-129"},
        {"uint256", "115792089237316195423570985008687907853269984665640564039457584007913129639936"},
        {"uint256", json::string("0x" + std::string(65, '1'))},
        {"bytes1", "0x"},
        {"bytes1", "0xffff"},
        {"bytes1", "ff"},
        {"bytes1", 1},
        {"bytes", "0xf"},
        {"bytes", "ff"},
        {"bytes", "0xgg"},
        {"bool", 1},
        {"bool", "true"},
        {"string", 1},
        {"string", nullptr},
        {"address", address},
        {"address", "0x12"},
        {"address", 1},
        {"uint8[]", 1},
        {"uint8[]", json::object{}},
        {"uint8[2]", json::array{1}},
        {"uint8[2]", json::array{1, 2, 3}},
        {"uint8[2]", json::array{1, 256}},
        {"uint8[][1]", json::array{}},
        {"T", nullptr},
        {"T[]", json::array{nullptr}}};
    for (const auto& [type, value] : cases) {
        const auto result = hash(single(type, value));
        ASSERT_FALSE(result) << type << " " << json::serialize(value);
        EXPECT_EQ(result.error().code, ErrorCode::invalid_data);
    }
}

TEST(TypedData, RefusesBadTypes) {
    for (const char* type : {"",       "uint",     "int",       "uint7",    "uint0",     "uint08",         "uint264",
                             "int257", "bytes0",   "bytes33",   "bytes01",  "byte",      "Unknown",        "uint8[",
                             "uint8]", "uint8[]x", "uint8[-1]", "uint8[0]", "uint8[01]", "uint8[1000001]", "uint8[ 1]",
                             "9a",     "a b",      "[]",        "uint8[]]"}) {
        const auto result = hash(single(type, json::array{}));
        ASSERT_FALSE(result) << type;
        EXPECT_EQ(result.error().code, ErrorCode::invalid_data);
    }
}

struct Change {
    const char* description;
    void (*apply)(json::object& document);
};

json::array& mail_type(json::object& document) {
    return document["types"].at("Mail").as_array();
}

const Change kChanges[] = {
    {"types missing", [](json::object& d) { d.erase("types"); }},
    {"domain missing", [](json::object& d) { d.erase("domain"); }},
    {"message missing", [](json::object& d) { d.erase("message"); }},
    {"primaryType missing", [](json::object& d) { d.erase("primaryType"); }},
    {"an additional member", [](json::object& d) { d["comment"] = "x"; }},
    {"unknown primaryType", [](json::object& d) { d["primaryType"] = "Post"; }},
    {"primaryType is the domain", [](json::object& d) { d["primaryType"] = "EIP712Domain"; }},
    {"primaryType is a number", [](json::object& d) { d["primaryType"] = 1; }},
    {"no type for the domain", [](json::object& d) { d["types"].as_object().erase("EIP712Domain"); }},
    {"a struct type is missing", [](json::object& d) { d["types"].as_object().erase("Person"); }},
    {"a struct named as a plain type", [](json::object& d) { d["types"].as_object()["uint8"] = json::array{}; }},
    {"a struct with a bad name", [](json::object& d) { d["types"].as_object()["a(b"] = json::array{}; }},
    {"a type is no list", [](json::object& d) { d["types"].as_object()["Mail"] = 1; }},
    {"a field is no object", [](json::object& d) { mail_type(d)[0] = 1; }},
    {"a field without type", [](json::object& d) { mail_type(d)[0].as_object().erase("type"); }},
    {"a field with a bad name", [](json::object& d) { mail_type(d)[0].as_object()["name"] = "a,b"; }},
    {"a field twice", [](json::object& d) { mail_type(d).push_back(mail_type(d)[0]); }},
    {"a value is missing", [](json::object& d) { d["message"].as_object().erase("contents"); }},
    {"a nested value is missing", [](json::object& d) { d["message"].at("to").as_object().erase("name"); }},
    {"a value without a type", [](json::object& d) { d["message"].as_object()["amount"] = "1"; }},
    {"a value of the domain without a type", [](json::object& d) { d["domain"].as_object()["salt"] = "0x"; }},
    {"the message is a list", [](json::object& d) { d["message"] = json::array{}; }},
};

TEST(TypedData, RefusesIncompleteDocuments) {
    for (const auto& change : kChanges) {
        auto document = mail();
        change.apply(document);
        const auto result = hash(document);
        ASSERT_FALSE(result) << change.description;
        EXPECT_EQ(result.error().code, ErrorCode::invalid_data) << change.description;
    }
    for (const char* text : {"", "1", "[]", "{}", "null"}) EXPECT_FALSE(hash_typed_data(text)) << text;
    EXPECT_EQ(hash_typed_data(std::string(300 * 1024, ' ')).error().code, ErrorCode::limit_exceeded);
}

TEST(TypedData, TypesAreBounded) {
    auto document = single("uint8", 1).as_object();
    auto& types = document["types"].as_object();
    while (types.size() < 256) types[fmt::format("S{}", types.size())] = json::array{};
    EXPECT_TRUE(hash(document));
    types["OneMore"] = json::array{};
    EXPECT_FALSE(hash(document));
}

TEST(TypedData, RecursiveTypesThroughArraysEnd) {
    auto document = single("T[]", json::array{}).as_object();
    EXPECT_TRUE(hash(document));
    document["message"] = json::object{{"x", json::array{json::object{{"x", json::array{}}}}}};
    EXPECT_TRUE(hash(document));
}

TEST(TypedData, PropertyMutatedDocumentsNeverCrash) {
    const auto cases = test::load_json("typed_data.json");
    EXPECT_TRUE(rc::check("mutated typed data", [&cases] {
        const auto index = *rc::gen::inRange<std::size_t>(0, cases.as_array().size());
        auto text = json::serialize(cases.as_array()[index].at("document"));
        for (int left = *rc::gen::inRange(1, 5); left > 0; --left) {
            const auto position = *rc::gen::inRange<std::size_t>(0, text.size());
            text[position] = *rc::gen::elementOf(std::string("{}[],:\"\\ 0123456789abfxut\x01\xff"));
        }
        (void)hash_typed_data(text);
    }));
}

}  // namespace
}  // namespace myst::codec::eip712
