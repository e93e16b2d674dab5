#include "myst/codec/transaction.hpp"

#include <gtest/gtest.h>

#include "myst/codec/abi.hpp"
#include "myst/crypto/keccak.hpp"
#include "vectors/load.hpp"

namespace myst::codec {
namespace {

namespace json = boost::json;

/// A quantity of the vectors: a number, or hex where "0x" is zero; absent means zero.
Uint256 quantity(const json::value& transaction, std::string_view name) {
    const auto* value = transaction.as_object().if_contains(name);
    if (value == nullptr) return 0;
    if (value->is_int64()) return static_cast<std::uint64_t>(value->as_int64());
    auto digits = test::text(transaction, name).substr(2);
    digits.insert(0, 64 - digits.size(), '0');
    return abi::to_uint(Hash32::parse(digits).value());
}

std::uint64_t quantity64(const json::value& transaction, std::string_view name) {
    return static_cast<std::uint64_t>(quantity(transaction, name));
}

Bytes data_of(const json::value& transaction) {
    return transaction.as_object().contains("data") ? test::hex(transaction, "data") : Bytes{};
}

Transaction1559 read_1559(const json::value& t) {
    return {quantity64(t, "chainId"),
            quantity64(t, "nonce"),
            quantity(t, "maxPriorityFeePerGas"),
            quantity(t, "maxFeePerGas"),
            quantity64(t, "gasLimit"),
            test::fixed<Address>(t, "to"),
            quantity(t, "value"),
            data_of(t)};
}

TransactionLegacy read_legacy(const json::value& t) {
    return {quantity64(t, "chainId"),
            quantity64(t, "nonce"),
            quantity(t, "gasPrice"),
            quantity64(t, "gasLimit"),
            test::fixed<Address>(t, "to"),
            quantity(t, "value"),
            data_of(t)};
}

TEST(Transaction, Eip1559Vectors) {
    int count = 0;
    const auto cases = test::load_json("transactions.json");
    for (const auto& each : cases.as_array()) {
        if (!each.as_object().contains("signedLondon")) continue;
        SCOPED_TRACE(test::text(each, "name"));
        const auto transaction = read_1559(each.at("transaction"));
        const auto result = sign(transaction, test::private_key(each, "privateKey"));
        EXPECT_EQ(to_hex0x(result.raw), test::text(each, "signedLondon"));
        EXPECT_EQ(result.hash, crypto::keccak256(test::hex(each, "signedLondon")));
        const auto decoded = decode_1559(result.raw);
        ASSERT_TRUE(decoded);
        EXPECT_EQ(*decoded, transaction);
        EXPECT_FALSE(decode_1559(BytesView(result.raw).first(result.raw.size() - 1)));
        if (each.as_object().contains("unsignedLondon")) {
            EXPECT_EQ(signing_hash(transaction), crypto::keccak256(test::hex(each, "unsignedLondon")));
        }
        ++count;
    }
    EXPECT_GE(count, 58);
}

TEST(Transaction, Eip155Vectors) {
    int count = 0;
    const auto cases = test::load_json("transactions.json");
    for (const auto& each : cases.as_array()) {
        if (!each.as_object().contains("signedEip155")) continue;
        SCOPED_TRACE(test::text(each, "name"));
        const auto transaction = read_legacy(each.at("transaction"));
        EXPECT_EQ(signing_hash(transaction), crypto::keccak256(test::hex(each, "unsignedEip155")));
        if (each.as_object().contains("signingHashEip155")) {
            EXPECT_EQ(signing_hash(transaction), test::fixed<Hash32>(each, "signingHashEip155"));
        }
        const auto result = sign(transaction, test::private_key(each, "privateKey"));
        EXPECT_EQ(to_hex0x(result.raw), test::text(each, "signedEip155"));
        ++count;
    }
    EXPECT_GE(count, 49);
}

TEST(Transaction, DecodesNothingButSignedType2) {
    const auto key = test::private_key(std::string(64, '1'));
    EXPECT_FALSE(decode_1559({}));
    EXPECT_FALSE(decode_1559(Bytes{2}));
    EXPECT_FALSE(decode_1559(Bytes{2, 0xc0})) << "an empty list";
    EXPECT_FALSE(decode_1559(sign(TransactionLegacy{}, key).raw));
    auto raw = sign(Transaction1559{}, key).raw;
    ASSERT_TRUE(decode_1559(raw));
    raw[0] = 1;
    EXPECT_FALSE(decode_1559(raw));
}

TEST(Transaction, TheLargestChainIdDoesNotOverflowV) {
    TransactionLegacy transaction;
    transaction.chain_id = ~std::uint64_t{0};
    const auto key = test::private_key(std::string(64, '1'));
    const auto raw = to_hex(sign(transaction, key).raw);
    // v = 2·(2^64 − 1) + 35 + parity needs nine bytes.
    EXPECT_TRUE(raw.find("89020000000000000021") != std::string::npos ||
                raw.find("89020000000000000022") != std::string::npos);
}

}  // namespace
}  // namespace myst::codec
