#include "myst/crypto/nip44.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/crypto/base64.hpp"
#include "myst/crypto/sha256.hpp"
#include "myst/crypto/system_rng.hpp"
#include "vectors/load.hpp"

namespace myst::crypto {
namespace {

namespace json = boost::json;

const json::value& vectors(std::string_view validity, std::string_view name) {
    static const json::value all = test::load_json("nip44.json");
    return all.at("v2").at(validity).at(name);
}

Secret<32> secret(const json::value& parent, std::string_view name) {
    Secret<32> value;
    const auto bytes = test::hex(parent, name);
    std::copy(bytes.begin(), bytes.end(), value.expose_mutable().begin());
    return value;
}

std::string hex_of(BytesView bytes) {
    return to_hex(bytes);
}

TEST(Nip44, ConversationKeys) {
    for (const auto& each : vectors("valid", "get_conversation_key").as_array()) {
        const auto key = nip44_conversation_key(test::private_key(each, "sec1"), test::fixed<NodeKey>(each, "pub2"));
        ASSERT_TRUE(key);
        EXPECT_EQ(hex_of(key->expose()), test::text(each, "conversation_key"));
    }
}

TEST(Nip44, BadKeysAreRefused) {
    for (const auto& each : vectors("invalid", "get_conversation_key").as_array()) {
        SCOPED_TRACE(test::text(each, "note"));
        const auto own = PrivateKey::from(test::fixed<Hash32>(each, "sec1").bytes);
        const bool usable = own && nip44_conversation_key(*own, test::fixed<NodeKey>(each, "pub2"));
        EXPECT_FALSE(usable);
    }
}

TEST(Nip44, MessageKeys) {
    const auto& group = vectors("valid", "get_message_keys");
    const auto conversation = secret(group, "conversation_key");
    for (const auto& each : group.at("keys").as_array()) {
        const auto keys = nip44_message_keys(conversation, test::fixed<Hash32>(each, "nonce"));
        EXPECT_EQ(hex_of(keys.cipher_key.expose()), test::text(each, "chacha_key"));
        EXPECT_EQ(hex_of(keys.cipher_nonce.expose()), test::text(each, "chacha_nonce"));
        EXPECT_EQ(hex_of(keys.mac_key.expose()), test::text(each, "hmac_key"));
    }
}

TEST(Nip44, PaddedLengths) {
    for (const auto& each : vectors("valid", "calc_padded_len").as_array()) {
        const auto length = static_cast<std::size_t>(each.at(0).as_int64());
        if (length > 65'535) continue;  // one more than a message can hold
        EXPECT_EQ(nip44_padded_length(length), static_cast<std::size_t>(each.at(1).as_int64())) << length;
    }
    EXPECT_EQ(nip44_padded_length(65'535), 65'536U);
}

TEST(Nip44, EncryptsAndDecryptsAsPublished) {
    for (const auto& each : vectors("valid", "encrypt_decrypt").as_array()) {
        const auto plaintext = test::text(each, "plaintext");
        const auto payload = test::text(each, "payload");
        const auto first = test::private_key(each, "sec1");
        const auto second = test::private_key(each, "sec2");
        test::FixedRng rng(test::hex(each, "nonce"));
        EXPECT_EQ(nip44_encrypt(first, second.node_key(), plaintext, rng), payload);
        EXPECT_EQ(nip44_decrypt(second, first.node_key(), payload), plaintext);
        EXPECT_EQ(hex_of(nip44_conversation_key(second, first.node_key())->expose()),
                  test::text(each, "conversation_key"));
    }
}

TEST(Nip44, LongMessages) {
    for (const auto& each : vectors("valid", "encrypt_decrypt_long_msg").as_array()) {
        std::string plaintext;
        for (auto left = each.at("repeat").as_int64(); left > 0; --left) plaintext += test::text(each, "pattern");
        ASSERT_EQ(sha256(as_bytes(plaintext)).hex(), test::text(each, "plaintext_sha256"));
        const auto key = secret(each, "conversation_key");
        test::FixedRng rng(test::hex(each, "nonce"));
        const auto payload = nip44_encrypt(key, plaintext, rng);
        ASSERT_TRUE(payload);
        EXPECT_EQ(sha256(as_bytes(*payload)).hex(), test::text(each, "payload_sha256"));
        EXPECT_EQ(nip44_decrypt(key, *payload), plaintext);
    }
}

TEST(Nip44, LengthsOutsideTheRangeAreRefused) {
    SystemRng rng;
    const Secret<32> key;
    for (const auto& each : vectors("invalid", "encrypt_msg_lengths").as_array()) {
        const auto payload = nip44_encrypt(key, std::string(static_cast<std::size_t>(each.as_int64()), 'x'), rng);
        ASSERT_FALSE(payload);
        EXPECT_EQ(payload.error().code, ErrorCode::invalid_argument);
    }
}

TEST(Nip44, DamagedPayloadsAreRefusedAlike) {
    for (const auto& each : vectors("invalid", "decrypt").as_array()) {
        SCOPED_TRACE(test::text(each, "note"));
        const auto opened = nip44_decrypt(secret(each, "conversation_key"), test::text(each, "payload"));
        ASSERT_FALSE(opened);
        EXPECT_EQ(opened.error().code, ErrorCode::invalid_data);
        EXPECT_EQ(opened.error().message, "the encrypted message cannot be opened");
    }
}

TEST(Nip44, EveryFlippedByteIsNoticed) {
    SystemRng rng;
    const auto key = test::private_key(std::string(63, '0') + "2");
    const auto payload = *parse_base64(*nip44_encrypt(key, key.node_key(), "attack at dawn", rng));
    for (std::size_t i = 0; i < payload.size(); ++i) {
        auto damaged = payload;
        damaged[i] ^= 0x40;
        EXPECT_FALSE(nip44_decrypt(key, key.node_key(), to_base64(damaged))) << i;
    }
    NodeKey off_curve;
    off_curve.bytes[31] = 5;
    EXPECT_FALSE(nip44_decrypt(key, off_curve, to_base64(payload)));
    EXPECT_FALSE(nip44_encrypt(key, off_curve, "x", rng));
}

TEST(Nip44, PropertyRoundTrip) {
    EXPECT_TRUE(rc::check("decrypt(encrypt(text)) = text", [](std::array<std::uint8_t, 32> key_bytes) {
        const auto length = *rc::gen::inRange<std::size_t>(1, 3000);
        const auto plaintext = *rc::gen::container<std::string>(length, rc::gen::arbitrary<char>());
        Secret<32> key;
        std::copy(key_bytes.begin(), key_bytes.end(), key.expose_mutable().begin());
        SystemRng rng;
        RC_ASSERT(nip44_decrypt(key, nip44_encrypt(key, plaintext, rng).value()).value() == plaintext);
    }));
}

TEST(Nip44, PropertyDecryptNeverCrashes) {
    EXPECT_TRUE(rc::check("random payloads", [] {
        const auto length = *rc::gen::inRange<std::size_t>(0, 400);
        auto bytes = *rc::gen::container<Bytes>(length, rc::gen::arbitrary<std::uint8_t>());
        if (!bytes.empty()) bytes[0] = 2;
        RC_ASSERT(!nip44_decrypt(Secret<32>(), to_base64(bytes)));
        RC_ASSERT(!nip44_decrypt(Secret<32>(), as_text(bytes)));
    }));
}

}  // namespace
}  // namespace myst::crypto
