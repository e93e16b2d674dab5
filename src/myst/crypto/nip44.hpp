// NIP-44 version 2: end-to-end encryption between two node keys (ECDH, HKDF, ChaCha20, HMAC-SHA-256, padding).
#pragma once

#include <string>
#include <string_view>

#include "myst/crypto/secp256k1.hpp"

namespace myst::crypto {

/// Base64 payload of NIP-44 v2. The plaintext must have 1 … 65 535 bytes, else invalid_argument.
[[nodiscard]] Result<std::string> nip44_encrypt(const PrivateKey& from, const NodeKey& to, std::string_view plaintext,
                                                Rng& rng);
/// Opens a payload; any damage, wrong key or unknown version is one and the same invalid_data error.
[[nodiscard]] Result<std::string> nip44_decrypt(const PrivateKey& to, const NodeKey& from, std::string_view payload);

/// The key that two parties share for all their messages, the same from either side. Keeping it saves the curve
/// multiplication per message. invalid_data if `peer` is not on the curve.
[[nodiscard]] Result<Secret<32>> nip44_conversation_key(const PrivateKey& own, const NodeKey& peer);
[[nodiscard]] Result<std::string> nip44_encrypt(const Secret<32>& conversation_key, std::string_view plaintext,
                                                Rng& rng);
[[nodiscard]] Result<std::string> nip44_decrypt(const Secret<32>& conversation_key, std::string_view payload);

/// How many bytes a plaintext of `length` (1 … 65 535) is padded to.
[[nodiscard]] std::size_t nip44_padded_length(std::size_t length);

/// Keys of one message, derived from the conversation key and the message's nonce.
struct Nip44MessageKeys {
    Secret<32> cipher_key;
    Secret<12> cipher_nonce;
    Secret<32> mac_key;
};
[[nodiscard]] Nip44MessageKeys nip44_message_keys(const Secret<32>& conversation_key, const Hash32& nonce);

}  // namespace myst::crypto
