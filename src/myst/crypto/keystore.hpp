// Web3 Secret Storage, version 3 (scrypt, AES-128-CTR, Keccak MAC): one key in one JSON document.
#pragma once

#include <string>
#include <string_view>

#include "myst/crypto/secp256k1.hpp"

namespace myst::crypto {

/// Work factor of scrypt. Standard: N=2^18, r=8, p=1 (256 MiB, about a second). Light: N=2^12, r=8, p=6 (4 MiB).
enum class KeystoreStrength { standard, light };

/// Encrypts a key; returns the JSON text.
[[nodiscard]] std::string encrypt_keystore(const PrivateKey& key, BytesView password, KeystoreStrength strength,
                                           Rng& rng);
/// Decrypts a document. A wrong password and a damaged ciphertext give the same permission_denied error. A document
/// outside version 3, one whose address is not the key's, and one that asks for more work than is reasonable are
/// invalid_data: scrypt over N=2^20, r·p=64, N·r·p=2^23 (four times the standard work) or 512 MiB; PBKDF2
/// (HMAC-SHA-256), which is read too, over 10 million rounds; a text over 64 KiB.
[[nodiscard]] Result<PrivateKey> decrypt_keystore(std::string_view json, BytesView password);

}  // namespace myst::crypto
