#include "myst/crypto/secp256k1.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/crypto/address.hpp"
#include "myst/crypto/keccak.hpp"
#include "myst/crypto/system_rng.hpp"
#include "vectors/load.hpp"

namespace myst::crypto {
namespace {

constexpr std::string_view kOrder = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
constexpr std::string_view kOrderMinusOne = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140";
constexpr std::string_view kHalfOrderPlusOne = "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1";
constexpr std::string_view kFieldPrime = "fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f";

std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> fields;
    std::istringstream stream(line);
    for (std::string field; std::getline(stream, field, ',');) fields.push_back(field);
    return fields;
}

Hash32 personal_digest(const std::string& message) {
    return keccak256({as_bytes("\x19"
                               "Ethereum Signed Message:\n"),
                      as_bytes(std::to_string(message.size())), as_bytes(message)});
}

TEST(PrivateKey, GivesThePublishedAddresses) {
    const auto cases = test::load_json("accounts.json");
    for (const auto& each : cases.as_array()) {
        const auto key = test::private_key(each, "privateKey");
        EXPECT_EQ(to_checksum(key.address()), test::text(each, "address"));
        EXPECT_EQ(key.clone().address(), key.address());
    }
}

TEST(PrivateKey, MustBeWithinTheGroupOrder) {
    EXPECT_TRUE(PrivateKey::from(Hash32::parse(kOrderMinusOne)->bytes));
    for (auto bad : {kOrder, kFieldPrime}) {
        const auto key = PrivateKey::from(Hash32::parse(bad)->bytes);
        ASSERT_FALSE(key);
        EXPECT_EQ(key.error().code, ErrorCode::invalid_argument);
    }
    EXPECT_FALSE(PrivateKey::from(Hash32{}.bytes));
}

TEST(PrivateKey, GenerateSkipsUnusableCandidates) {
    Bytes stream = *parse_hex(kOrder);
    stream.resize(64);  // the second candidate is zero
    const auto good = *parse_hex(kOrderMinusOne);
    stream.insert(stream.end(), good.begin(), good.end());
    test::FixedRng rng(stream);
    EXPECT_EQ(PrivateKey::generate(rng).address(), test::private_key(kOrderMinusOne).address());
    SystemRng system;
    EXPECT_NE(PrivateKey::generate(system).address(), PrivateKey::generate(system).address());
}

TEST(Ecdsa, MatchesTheExamplesOfEip2098) {
    const auto cases = test::load_json("eip2098.json");
    for (const auto& each : cases.as_array()) {
        const auto key = test::private_key(each, "privateKey");
        const auto digest = personal_digest(test::text(each, "message"));
        const auto signature = key.sign(digest);
        EXPECT_EQ(signature.r.hex0x(), test::text(each, "r"));
        EXPECT_EQ(signature.vs.hex0x(), test::text(each, "yParityAndS"));
        EXPECT_EQ(signature.s().hex0x(), test::text(each, "s"));
        EXPECT_EQ(signature.y_parity() + 27, each.at("v").as_int64());
        EXPECT_EQ(recover(digest, signature), key.address());
    }
}

TEST(Ecdsa, RecoverRefusesWhatIsOutOfRange) {
    const Hash32 digest = keccak256(as_bytes("x"));
    const auto one = *Hash32::parse(std::string(63, '0') + "1");
    const auto order = *Hash32::parse(kOrder);
    const auto refused = [&](const Hash32& r, const Hash32& vs) {
        const auto signer = recover(digest, {r, vs});
        return !signer && signer.error().code == ErrorCode::invalid_data;
    };
    EXPECT_TRUE(refused(Hash32{}, one));
    EXPECT_TRUE(refused(one, Hash32{}));
    EXPECT_TRUE(refused(order, one));
    EXPECT_TRUE(refused(one, *Hash32::parse(kHalfOrderPlusOne)));
    // x = 5 is not the x coordinate of any point of the curve.
    EXPECT_TRUE(refused(*Hash32::parse(std::string(63, '0') + "5"), one));
    EXPECT_FALSE(refused(one, one));
}

TEST(Ecdsa, PropertySignThenRecover) {
    EXPECT_TRUE(rc::check("recover(sign(digest)) is the signer",
                          [](std::array<std::uint8_t, 32> secret, std::array<std::uint8_t, 32> digest) {
                              const auto key = PrivateKey::from(secret);
                              RC_PRE(key.has_value());
                              const auto signature = key->sign({digest});
                              RC_ASSERT(recover({digest}, signature).value() == key->address());
                              auto other = digest;
                              other[0] ^= 1;
                              const auto wrong = recover({other}, signature);
                              RC_ASSERT(!wrong || *wrong != key->address());
                          }));
}

TEST(Ecdsa, PropertyRecoverNeverCrashes) {
    EXPECT_TRUE(rc::check("random signatures", [](std::array<std::uint8_t, 32> r, std::array<std::uint8_t, 32> vs) {
        (void)recover(Hash32{}, {{r}, {vs}});
    }));
}

TEST(Schnorr, MatchesBip340) {
    std::istringstream csv(test::load_text("bip340.csv"));
    std::string line;
    std::getline(csv, line);
    int count = 0;
    for (; std::getline(csv, line); ++count) {
        SCOPED_TRACE(line.substr(0, 3));
        const auto fields = split(line);
        const auto key = NodeKey::parse(fields[2]).value();
        const auto message = parse_hex(fields[4]).value();
        const auto signature = SchnorrSignature::parse(fields[5]).value();
        if (!fields[1].empty()) {
            const auto secret = test::private_key(fields[1]);
            EXPECT_EQ(secret.node_key(), key);
            EXPECT_EQ(secret.sign_schnorr(message, Hash32::parse(fields[3]).value()), signature);
        }
        EXPECT_EQ(verify_schnorr(key, message, signature), fields[6] == "TRUE");
    }
    EXPECT_EQ(count, 19);
}

TEST(Schnorr, AnyFlippedBitIsNoticed) {
    const auto key = test::private_key(std::string(63, '0') + "3");
    Bytes message = {1, 2, 3};
    const auto signature = key.sign_schnorr(message, Hash32{});
    for (std::size_t bit = 0; bit < 512; bit += 7) {
        auto damaged = signature;
        damaged.bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        EXPECT_FALSE(verify_schnorr(key.node_key(), message, damaged));
    }
    message.push_back(0);
    EXPECT_FALSE(verify_schnorr(key.node_key(), message, signature));
}

TEST(Ecdh, BothSidesGetTheSameAndBadPointsAreRefused) {
    const auto a = test::private_key(std::string(63, '0') + "7");
    const auto b = test::private_key(std::string(63, '0') + "9");
    EXPECT_TRUE(a.shared_x(b.node_key())->equals(*b.shared_x(a.node_key())));
    NodeKey off_curve;
    off_curve.bytes[31] = 5;
    const auto shared = a.shared_x(off_curve);
    ASSERT_FALSE(shared);
    EXPECT_EQ(shared.error().code, ErrorCode::invalid_data);
    EXPECT_FALSE(a.shared_x(NodeKey{}));
}

}  // namespace
}  // namespace myst::crypto
