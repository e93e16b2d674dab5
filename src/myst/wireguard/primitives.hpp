// The cryptography of WireGuard's handshakes and cookies (paper, section 5.4), on top of OpenSSL. Data packets, of
// which there are many, are sealed elsewhere. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>

#include "myst/base/bytes.hpp"
#include "myst/base/rng.hpp"
#include "myst/base/secret.hpp"
#include "myst/wireguard/constants.hpp"

struct evp_pkey_st;
struct evp_pkey_ctx_st;

namespace myst::wireguard {

using Mac = std::array<std::uint8_t, kMacSize>;
using XNonce = std::array<std::uint8_t, 24>;

/// BLAKE2s with 32 bytes of output (RFC 7693).
[[nodiscard]] Hash32 blake2s(std::initializer_list<BytesView> parts);
/// Keyed BLAKE2s with 16 bytes of output; the key has 1 … 32 bytes.
[[nodiscard]] Mac blake2s_mac(BytesView key, std::initializer_list<BytesView> parts);
/// HKDF (RFC 5869) with HMAC-BLAKE2s, `chaining_key` as salt and no info: fills the outputs, 1 … 3, in order. An output
/// may be the chaining key itself.
void derive_keys(BytesView chaining_key, BytesView input, std::initializer_list<std::span<std::uint8_t, 32>> outputs);

/// Clears and sets the bits that a private key has fixed (RFC 7748, section 5).
void clamp(Secret<32>& private_key);
/// A fresh private key, clamped.
[[nodiscard]] Secret<32> make_private_key(Rng& rng);
/// A private key in use (X25519, RFC 7748), for some agreements in a row; wiped afterwards, but not in locked memory.
/// One thread at a time.
class AgreementKey {
public:
    /// Takes as long as an agreement, since the public key is computed.
    explicit AgreementKey(const Secret<32>& private_key);
    /// With the public key that belongs to it.
    AgreementKey(const Secret<32>& private_key, const TunnelKey& public_key);

    [[nodiscard]] TunnelKey public_key() const;
    /// The shared secret; none if it is zero, which a point of low order makes it.
    [[nodiscard]] std::optional<Secret<32>> agree(const TunnelKey& peer) const;

private:
    explicit AgreementKey(evp_pkey_st* key);
    struct Free {
        void operator()(evp_pkey_st* key) const;
        void operator()(evp_pkey_ctx_st* context) const;
    };
    std::unique_ptr<evp_pkey_st, Free> key_;
    std::unique_ptr<evp_pkey_ctx_st, Free> context_;
};

/// The public key that belongs to a private one.
[[nodiscard]] TunnelKey public_key_of(const Secret<32>& private_key);
/// As `AgreementKey::agree`.
[[nodiscard]] std::optional<Secret<32>> shared_secret(const Secret<32>& own, const TunnelKey& peer);

/// ChaCha20-Poly1305 (RFC 8439) with the nonce 0 ‖ counter. `sealed` has 16 bytes more than `plain`.
void seal(const Secret<32>& key, std::uint64_t counter, BytesView plain, BytesView additional,
          std::span<std::uint8_t> sealed);
/// False: not authentic; `plain`, which has 16 bytes less than `sealed`, is then zero.
[[nodiscard]] bool open(const Secret<32>& key, std::uint64_t counter, BytesView sealed, BytesView additional,
                        std::span<std::uint8_t> plain);
/// XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), otherwise as above.
void seal_extended(const Secret<32>& key, const XNonce& nonce, BytesView plain, BytesView additional,
                   std::span<std::uint8_t> sealed);
[[nodiscard]] bool open_extended(const Secret<32>& key, const XNonce& nonce, BytesView sealed, BytesView additional,
                                 std::span<std::uint8_t> plain);

}  // namespace myst::wireguard
