#include "myst/wireguard/primitives.hpp"

#include <gtest/gtest.h>

#include "myst/wireguard/test_support/fixtures.hpp"
#include "vectors/load.hpp"

namespace myst::wireguard {
namespace {

using test::secret_of;
using test::SeededRng;

Bytes hex(std::string_view text) {
    return parse_hex(text).value();
}

template <std::size_t N>
std::array<std::uint8_t, N> fixed(std::string_view text) {
    std::array<std::uint8_t, N> bytes{};
    EXPECT_TRUE(parse_hex_into(text, bytes));
    return bytes;
}

TEST(Blake2s, AgreesWithRfc7693) {
    EXPECT_EQ(blake2s({as_bytes("a"), as_bytes("bc")}).hex(),
              "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
    EXPECT_EQ(blake2s({}).hex(), "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9");
}

// RFC 7748, sections 5.2 and 6.1.
TEST(X25519, AgreesWithRfc7748) {
    const auto scalar = secret_of(hex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"));
    const auto point = TunnelKey::parse("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c").value();
    EXPECT_EQ(to_hex(shared_secret(scalar, point)->expose()),
              "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
    const auto alice = secret_of(hex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
    const auto bob = secret_of(hex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
    EXPECT_EQ(public_key_of(alice).hex(), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
    const auto* shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
    EXPECT_EQ(to_hex(shared_secret(alice, public_key_of(bob))->expose()), shared);
    EXPECT_EQ(to_hex(shared_secret(bob, public_key_of(alice))->expose()), shared);
}

std::string text_at(const boost::json::value& row, std::size_t column) {
    return std::string(row.as_array().at(column).as_string());
}

TEST(X25519, AgreesWithWycheproofAndRefusesZeroSecrets) {
    const auto rows = myst::test::load_json("x25519_wycheproof.json");
    std::size_t refused = 0;
    for (const auto& row : rows.as_array()) {
        const auto own = secret_of(hex(text_at(row, 0)));
        const auto shared = shared_secret(own, TunnelKey::parse(text_at(row, 1)).value());
        if (text_at(row, 2) == std::string(64, '0')) {
            EXPECT_FALSE(shared) << text_at(row, 1);
            ++refused;
        } else {
            ASSERT_TRUE(shared) << text_at(row, 1);
            EXPECT_EQ(to_hex(shared->expose()), text_at(row, 2));
        }
    }
    EXPECT_EQ(rows.as_array().size(), 518U);
    EXPECT_EQ(refused, 31U);
}

TEST(X25519, PrivateKeysAreClampedAndFresh) {
    SeededRng rng(1);
    const auto first = make_private_key(rng);
    const auto second = make_private_key(rng);
    EXPECT_EQ(first.expose()[0] & 7, 0);
    EXPECT_EQ(first.expose()[31] & 0xc0, 0x40);
    EXPECT_NE(public_key_of(first), public_key_of(second));
}

// The points of low order, in the encodings that a decoder may accept (https://cr.yp.to/ecdh.html, "Validate").
TEST(X25519, RefusesPointsOfLowOrder) {
    SeededRng rng(2);
    const auto key = make_private_key(rng);
    for (const auto* point : {"0000000000000000000000000000000000000000000000000000000000000000",
                              "0100000000000000000000000000000000000000000000000000000000000000",
                              "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                              "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                              "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                              "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                              "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
        EXPECT_FALSE(shared_secret(key, TunnelKey::parse(point).value())) << point;
    }
}

TEST(Aead, SealsAndOpensUnderTheCounter) {
    const auto key = secret_of(hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"));
    const auto plain = as_bytes("Ladies and Gentlemen");
    Bytes sealed(plain.size() + kTagSize);
    seal(key, 7, plain, as_bytes("ad"), sealed);
    Bytes opened(plain.size());
    EXPECT_TRUE(open(key, 7, sealed, as_bytes("ad"), opened));
    EXPECT_EQ(as_text(opened), as_text(plain));
    EXPECT_FALSE(open(key, 8, sealed, as_bytes("ad"), opened));
    EXPECT_EQ(opened, Bytes(plain.size())) << "what is not authentic is not handed out";
    EXPECT_FALSE(open(key, 7, sealed, as_bytes("da"), opened));
    for (auto& byte : sealed) {
        byte ^= 0x10;
        EXPECT_FALSE(open(key, 7, sealed, as_bytes("ad"), opened));
        byte ^= 0x10;
    }
}

// draft-irtf-cfrg-xchacha-03, appendix A.3.1.
TEST(ExtendedAead, AgreesWithTheDraft) {
    const auto plain = as_bytes(
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would "
        "be "
        "it.");
    const auto additional = hex("50515253c0c1c2c3c4c5c6c7");
    const auto key = secret_of(hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"));
    const auto nonce = fixed<24>("404142434445464748494a4b4c4d4e4f5051525354555657");
    Bytes sealed(plain.size() + kTagSize);
    seal_extended(key, nonce, plain, additional, sealed);
    EXPECT_EQ(
        to_hex(sealed),
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c"
        "54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9768812"
        "f615c68b13b52ec0875924c1c7987947deafd8780acf49");
    Bytes opened(plain.size());
    EXPECT_TRUE(open_extended(key, nonce, sealed, additional, opened));
    EXPECT_EQ(as_text(opened), as_text(plain));
    sealed.back() ^= 1;
    EXPECT_FALSE(open_extended(key, nonce, sealed, additional, opened));
}

TEST(ExtendedAead, AgreesWithWycheproof) {
    const auto rows = myst::test::load_json("xchacha20_poly1305_wycheproof.json");
    std::size_t authentic = 0;
    for (const auto& row : rows.as_array()) {
        const auto key = secret_of(hex(text_at(row, 0)));
        const auto nonce = fixed<24>(text_at(row, 1));
        const auto additional = hex(text_at(row, 2));
        const auto plain = hex(text_at(row, 3));
        Bytes sealed(plain.size() + kTagSize);
        seal_extended(key, nonce, plain, additional, sealed);
        const bool valid = row.as_array().at(5).as_bool();
        EXPECT_EQ(to_hex(sealed) == text_at(row, 4), valid);
        Bytes opened(plain.size());
        EXPECT_EQ(open_extended(key, nonce, hex(text_at(row, 4)), additional, opened), valid);
        EXPECT_EQ(opened, valid ? plain : Bytes(plain.size()));
        authentic += valid ? 1 : 0;
    }
    EXPECT_EQ(rows.as_array().size(), 306U);
    EXPECT_EQ(authentic, 246U);
}

}  // namespace
}  // namespace myst::wireguard
