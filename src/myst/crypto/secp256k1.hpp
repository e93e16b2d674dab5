// Signatures on secp256k1: recoverable ECDSA for Ethereum, BIP-340 Schnorr for the database, ECDH for NIP-44.
#pragma once

#include "myst/base/bytes.hpp"
#include "myst/base/rng.hpp"
#include "myst/base/secret.hpp"

namespace myst::crypto {

/// A recoverable ECDSA signature in the compact form of EIP-2098: r, and s with the parity of R in its top bit.
/// Always low-s.
struct CompactSignature {
    Hash32 r;
    Hash32 vs;
    auto operator<=>(const CompactSignature&) const = default;
    /// Parity of R (0 or 1) and plain s, as transactions carry them.
    [[nodiscard]] int y_parity() const;
    [[nodiscard]] Hash32 s() const;
};

/// A 64-byte BIP-340 signature.
using SchnorrSignature = FixedBytes<64, struct SchnorrSignatureTag>;

/// A secp256k1 private key. Signing is deterministic (RFC 6979 for ECDSA); every signature is verified before
/// it is handed out. Immutable and safe to use from several threads.
class PrivateKey {
public:
    [[nodiscard]] static PrivateKey generate(Rng& rng);
    /// invalid_argument unless the bytes are a scalar in 1 … n−1.
    [[nodiscard]] static Result<PrivateKey> from(std::span<const std::uint8_t, 32> bytes);

    PrivateKey(PrivateKey&&) noexcept = default;
    PrivateKey& operator=(PrivateKey&&) noexcept = default;
    [[nodiscard]] PrivateKey clone() const;

    /// Ethereum address of the public key.
    [[nodiscard]] const Address& address() const { return address_; }
    /// X-only public key (BIP-340).
    [[nodiscard]] const NodeKey& node_key() const { return node_key_; }

    /// ECDSA over a 32-byte digest.
    [[nodiscard]] CompactSignature sign(const Hash32& digest) const;
    /// BIP-340 over a message of any length; `aux` is the auxiliary randomness of the BIP.
    [[nodiscard]] SchnorrSignature sign_schnorr(BytesView message, const Hash32& aux) const;
    /// X coordinate of the shared point with an x-only public key (even y), unhashed, as NIP-44 needs it.
    /// invalid_data if `peer` is not on the curve.
    [[nodiscard]] Result<Secret<32>> shared_x(const NodeKey& peer) const;
    /// The scalar, for storing it in a keystore.
    [[nodiscard]] const Secret<32>& secret() const { return secret_; }

private:
    PrivateKey(Secret<32> secret, const Address& address, const NodeKey& node_key);
    Secret<32> secret_;
    Address address_;
    NodeKey node_key_;
};

/// The address whose key made this signature. Refuses r or s out of range, high s, and unrecoverable points.
[[nodiscard]] Result<Address> recover(const Hash32& digest, const CompactSignature& signature);
/// BIP-340 verification.
[[nodiscard]] bool verify_schnorr(const NodeKey& key, BytesView message, const SchnorrSignature& signature);

}  // namespace myst::crypto
