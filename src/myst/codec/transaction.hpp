// Ethereum transactions: EIP-1559 (type 2) for sending, EIP-155 (legacy) for completeness of the vectors.
#pragma once

#include <cstdint>

#include "myst/base/bytes.hpp"
#include "myst/base/error.hpp"
#include "myst/base/uint256.hpp"
#include "myst/crypto/secp256k1.hpp"

namespace myst::codec {

/// A type-2 transaction. The access list is always empty.
struct Transaction1559 {
    std::uint64_t chain_id = 0;
    std::uint64_t nonce = 0;
    Uint256 max_priority_fee_per_gas;  ///< wei
    Uint256 max_fee_per_gas;           ///< wei
    std::uint64_t gas_limit = 0;
    Address to;
    Uint256 value;  ///< wei
    Bytes data;
    bool operator==(const Transaction1559&) const = default;
};

/// A legacy transaction protected by EIP-155.
struct TransactionLegacy {
    std::uint64_t chain_id = 0;
    std::uint64_t nonce = 0;
    Uint256 gas_price;  ///< wei
    std::uint64_t gas_limit = 0;
    Address to;
    Uint256 value;  ///< wei
    Bytes data;
};

/// The bytes for eth_sendRawTransaction, and their hash, which names the transaction.
struct SignedTransaction {
    Bytes raw;
    Hash32 hash;
    bool operator==(const SignedTransaction&) const = default;
};

[[nodiscard]] Hash32 signing_hash(const Transaction1559& transaction);
[[nodiscard]] Hash32 signing_hash(const TransactionLegacy& transaction);
[[nodiscard]] SignedTransaction sign(const Transaction1559& transaction, const crypto::PrivateKey& key);
[[nodiscard]] SignedTransaction sign(const TransactionLegacy& transaction, const crypto::PrivateKey& key);

/// What the bytes of a signed type-2 transaction say; the signature is not looked at. invalid_data if they are none.
[[nodiscard]] Result<Transaction1559> decode_1559(BytesView raw);

}  // namespace myst::codec
