#include "myst/crypto/keystore.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/crypto/address.hpp"
#include "myst/crypto/system_rng.hpp"
#include "vectors/load.hpp"

namespace myst::crypto {
namespace {

namespace json = boost::json;

constexpr const char* kZeroCiphertext = "6f6cf0ece6214fa975e0ede0b25b2de149c7c1b4f0679258a7f27db32036b168";
constexpr const char* kZeroMac = "339cd020b623789a3d6e8c4785b318c0e0f8f23c864d11d0be767950b0417785";

/// A cheap valid document for the password "foo", to be damaged by the tests.
json::object cheap_document() {
    const auto cases = test::load_json("keystore_v3.json");
    for (const auto& each : cases.as_array()) {
        if (test::text(each, "name") == "31_byte_key") return each.at("document").as_object();
    }
    throw std::runtime_error("the cheap keystore vector is missing");
}

ErrorCode error_of(const json::value& document, std::string_view password = "foo") {
    const auto key = decrypt_keystore(json::serialize(document), as_bytes(password));
    return key ? ErrorCode::internal : key.error().code;
}

TEST(Keystore, ReadsPublishedDocuments) {
    const auto cases = test::load_json("keystore_v3.json");
    EXPECT_GE(cases.as_array().size(), 12U);
    for (const auto& each : cases.as_array()) {
        SCOPED_TRACE(test::text(each, "name"));
        const auto key = decrypt_keystore(json::serialize(each.at("document")), as_bytes(test::text(each, "password")));
        ASSERT_TRUE(key) << key.error().message;
        if (each.as_object().contains("privateKey")) {
            EXPECT_EQ(to_hex(key->secret().expose()), test::text(each, "privateKey"));
        } else {
            EXPECT_EQ(to_checksum(key->address()), to_checksum(parse_address(test::text(each, "address")).value()));
        }
    }
}

TEST(Keystore, RoundTrips) {
    SystemRng rng;
    const auto key = PrivateKey::generate(rng);
    const auto text = encrypt_keystore(key, as_bytes("correct horse"), KeystoreStrength::light, rng);
    const auto opened = decrypt_keystore(text, as_bytes("correct horse"));
    ASSERT_TRUE(opened);
    EXPECT_TRUE(opened->secret().equals(key.secret()));
    const auto wrong = decrypt_keystore(text, as_bytes("correct horsf"));
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, ErrorCode::permission_denied);
    const auto document = json::parse(text);
    EXPECT_EQ(document.at("version").as_int64(), 3);
    EXPECT_EQ(test::text(document, "address"), key.address().hex());
    EXPECT_EQ(test::text(document, "id")[14], '4');
}

TEST(Keystore, EmptyPasswordIsAPassword) {
    SystemRng rng;
    const auto key = PrivateKey::generate(rng);
    const auto text = encrypt_keystore(key, {}, KeystoreStrength::light, rng);
    EXPECT_TRUE(decrypt_keystore(text, {}));
    EXPECT_FALSE(decrypt_keystore(text, as_bytes("x")));
}

TEST(Keystore, StandardStrengthIsWhatItSays) {
    SystemRng rng;
    const auto key = PrivateKey::generate(rng);
    const auto text = encrypt_keystore(key, as_bytes("pw"), KeystoreStrength::standard, rng);
    EXPECT_EQ(json::parse(text).at("crypto").at("kdfparams").at("n").as_int64(), 1 << 18);
    EXPECT_TRUE(decrypt_keystore(text, as_bytes("pw")));
}

TEST(Keystore, DamageLooksLikeAWrongPassword) {
    ASSERT_EQ(error_of(cheap_document()), ErrorCode::internal);
    EXPECT_EQ(error_of(cheap_document(), "bar"), ErrorCode::permission_denied);
    for (const char* member : {"ciphertext", "mac"}) {
        auto document = cheap_document();
        auto& digits = document["crypto"].at(member).as_string();
        digits[0] = digits[0] == '0' ? '1' : '0';
        EXPECT_EQ(error_of(document), ErrorCode::permission_denied) << member;
    }
}

TEST(Keystore, ADamagedIvIsNoticedByTheAddress) {
    auto document = cheap_document();
    const auto key = decrypt_keystore(json::serialize(document), as_bytes("foo"));
    document["address"] = key->address().hex();
    EXPECT_EQ(error_of(document), ErrorCode::internal);
    document["crypto"].at("cipherparams").at("iv").as_string()[0] = 'f';
    EXPECT_EQ(error_of(document), ErrorCode::invalid_data);
    document["address"] = "xyz";
    EXPECT_EQ(error_of(document), ErrorCode::invalid_data);
}

struct Change {
    const char* description;
    void (*apply)(json::object& document);
};

json::value& kdf(json::object& document, std::string_view name) {
    return document["crypto"].at("kdfparams").as_object()[name];
}

const Change kChanges[] = {
    {"version 1", [](json::object& d) { d["version"] = 1; }},
    {"version as text", [](json::object& d) { d["version"] = "3"; }},
    {"no version", [](json::object& d) { d.erase("version"); }},
    {"no crypto", [](json::object& d) { d.erase("crypto"); }},
    {"both spellings of crypto", [](json::object& d) { d["Crypto"] = d["crypto"]; }},
    {"another cipher", [](json::object& d) { d["crypto"].as_object()["cipher"] = "aes-256-ctr"; }},
    {"another kdf", [](json::object& d) { d["crypto"].as_object()["kdf"] = "argon2id"; }},
    {"short iv", [](json::object& d) { d["crypto"].at("cipherparams").as_object()["iv"] = "00"; }},
    {"no iv", [](json::object& d) { d["crypto"].at("cipherparams").as_object().erase("iv"); }},
    {"long ciphertext", [](json::object& d) { d["crypto"].as_object()["ciphertext"] = std::string(66, '0'); }},
    {"empty ciphertext", [](json::object& d) { d["crypto"].as_object()["ciphertext"] = ""; }},
    {"odd ciphertext", [](json::object& d) { d["crypto"].as_object()["ciphertext"] = "123"; }},
    {"short mac", [](json::object& d) { d["crypto"].as_object()["mac"] = "00"; }},
    {"no mac", [](json::object& d) { d["crypto"].as_object().erase("mac"); }},
    {"dklen 64", [](json::object& d) { kdf(d, "dklen") = 64; }},
    {"salt too long", [](json::object& d) { kdf(d, "salt") = std::string(2050, '0'); }},
    {"salt missing", [](json::object& d) { d["crypto"].at("kdfparams").as_object().erase("salt"); }},
    {"n missing", [](json::object& d) { d["crypto"].at("kdfparams").as_object().erase("n"); }},
    {"n zero", [](json::object& d) { kdf(d, "n") = 0; }},
    {"n one", [](json::object& d) { kdf(d, "n") = 1; }},
    {"n negative", [](json::object& d) { kdf(d, "n") = -2; }},
    {"n not a power of two", [](json::object& d) { kdf(d, "n") = 3; }},
    {"n too high", [](json::object& d) { kdf(d, "n") = 1 << 21; }},
    {"n fractional", [](json::object& d) { kdf(d, "n") = 2.0; }},
    {"r zero", [](json::object& d) { kdf(d, "r") = 0; }},
    {"p zero", [](json::object& d) { kdf(d, "p") = 0; }},
    {"r·p too high", [](json::object& d) { kdf(d, "p") = 9; }},
    {"p huge", [](json::object& d) { kdf(d, "p") = INT64_MAX; }},
    {"memory too high", [](json::object& d) { kdf(d, "n") = 1 << 20; }},
    {"work too high",
     [](json::object& d) {
         kdf(d, "n") = 1 << 20;
         kdf(d, "r") = 1;
         kdf(d, "p") = 16;
     }},
};

TEST(Keystore, RefusesWhatItDoesNotUnderstand) {
    for (const auto& change : kChanges) {
        auto document = cheap_document();
        change.apply(document);
        EXPECT_EQ(error_of(document), ErrorCode::invalid_data) << change.description;
    }
    for (const char* text : {"", "3", "[]", "{", "{}", "null", "\xff"}) {
        const auto key = decrypt_keystore(text, {});
        ASSERT_FALSE(key);
        EXPECT_EQ(key.error().code, ErrorCode::invalid_data) << text;
    }
    const auto large = decrypt_keystore(std::string(64 * 1024 + 1, ' '), {});
    EXPECT_EQ(large.error().code, ErrorCode::invalid_data);
}

TEST(Keystore, Pbkdf2IsBounded) {
    auto document = cheap_document();
    document["crypto"].as_object()["kdf"] = "pbkdf2";
    const json::object parameters{{"c", 2}, {"dklen", 32}, {"prf", "hmac-sha256"}, {"salt", "00"}};
    document["crypto"].as_object()["kdfparams"] = parameters;
    EXPECT_EQ(error_of(document), ErrorCode::permission_denied);  // understood, but another key
    const std::pair<const char*, json::value> changes[] = {
        {"c", 0}, {"c", 10'000'001}, {"c", "2"}, {"prf", "hmac-sha512"}, {"prf", nullptr}, {"dklen", 16}};
    for (const auto& [name, value] : changes) {
        document["crypto"].as_object()["kdfparams"] = parameters;
        kdf(document, name) = value;
        EXPECT_EQ(error_of(document), ErrorCode::invalid_data) << name << " " << json::serialize(value);
    }
}

TEST(Keystore, ACorrectlySealedZeroIsNotAKey) {
    // The same password, salt and IV as the valid document, but the ciphertext is the key stream itself (so that it
    // opens to zero) with the MAC that belongs to it.
    auto document = cheap_document();
    document["crypto"].as_object()["ciphertext"] = kZeroCiphertext;
    document["crypto"].as_object()["mac"] = kZeroMac;
    EXPECT_EQ(error_of(document), ErrorCode::permission_denied);
}

TEST(Keystore, PropertyMutatedTextNeverCrashes) {
    const auto valid = json::serialize(cheap_document());
    EXPECT_TRUE(rc::check("mutated keystore", [&valid] {
        auto text = valid;
        const auto edits = *rc::gen::inRange(1, 6);
        for (int i = 0; i < edits; ++i) {
            const auto position = *rc::gen::inRange<std::size_t>(0, text.size());
            // A digit must not become another digit: a larger cost would be derived in earnest and take long.
            const auto replacement = *rc::gen::elementOf(std::string("{}[],:\"\\ xn\x01\xff"));
            text[position] = replacement;
        }
        (void)decrypt_keystore(text, as_bytes("foo"));
    }));
}

}  // namespace
}  // namespace myst::crypto
