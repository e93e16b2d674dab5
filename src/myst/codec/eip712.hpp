// EIP-712: hashing of typed structured data. `StructHasher` serves fixed types on hot paths; `hash_typed_data`
// takes the JSON form that wallets show and serves tests and external signers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "myst/base/amount.hpp"
#include "myst/base/bytes.hpp"
#include "myst/base/uint256.hpp"

namespace myst::codec::eip712 {

/// Domain with exactly the fields name, version, chainId, verifyingContract.
struct Domain {
    std::string name;
    std::string version;
    std::uint64_t chain_id = 0;
    Address verifying_contract;
    [[nodiscard]] Hash32 separator() const;
};

/// Keccak-256 of a full type string, e.g. "Voucher(address provider,uint24 epoch,…)". Hot paths keep it.
[[nodiscard]] Hash32 type_hash(std::string_view type);

/// Accumulates the words of one struct in the order of its type string.
class StructHasher {
public:
    /// Hashes the type string first; see type_hash.
    explicit StructHasher(std::string_view type) : StructHasher(type_hash(type)) {}
    explicit StructHasher(const Hash32& type_hash);
    StructHasher& address(const Address& value);
    StructHasher& word(const Hash32& value);
    StructHasher& uint(const Uint256& value);
    StructHasher& u64(std::uint64_t value);
    StructHasher& amount(Amount value);
    /// string or bytes: hashed.
    StructHasher& dynamic(BytesView value);
    [[nodiscard]] Hash32 hash() const;

private:
    Bytes words_;
};

/// keccak256(0x1901 ‖ domain separator ‖ struct hash): what is signed.
[[nodiscard]] Hash32 digest(const Hash32& domain_separator, const Hash32& struct_hash);

/// Digest of a whole typed-data document {types, primaryType, domain, message} as eth_signTypedData_v4 takes it.
/// Unknown types, missing fields, fields that no type describes (they would be shown but not signed) and values out
/// of range are invalid_data, and so is `null` for a struct. Limits: 256 KiB, 256 types, nesting of 32.
[[nodiscard]] Result<Hash32> hash_typed_data(std::string_view json);

}  // namespace myst::codec::eip712
