#include "myst/wireguard/primitives.hpp"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "myst/base/check.hpp"
#include "myst/wireguard/byte_order.hpp"

namespace myst::wireguard {
namespace {

template <auto Free>
struct Deleter {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, Deleter<EVP_MD_CTX_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Deleter<EVP_MAC_CTX_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Deleter<EVP_CIPHER_CTX_free>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Nonce = std::array<std::uint8_t, 12>;

// Looked up once: a fetch by name takes longer than a short hash. Kept until the process ends.
EVP_MAC* mac_algorithm(const char* name) {
    EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, name, nullptr);
    CHECK(algorithm != nullptr);
    return algorithm;
}

const EVP_CIPHER* cipher_algorithm(const char* name) {
    const EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, name, nullptr);
    CHECK(algorithm != nullptr);
    return algorithm;
}

const EVP_CIPHER* aead_algorithm() {
    static const EVP_CIPHER* const algorithm = cipher_algorithm("ChaCha20-Poly1305");
    return algorithm;
}

void hash_blake2s(BytesView first, std::initializer_list<BytesView> rest, std::span<std::uint8_t, 32> out) {
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "BLAKE2S-256", nullptr);
    CHECK(algorithm != nullptr);
    const DigestContext context(EVP_MD_CTX_new());
    CHECK(context != nullptr);
    CHECK(EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1);
    CHECK(EVP_DigestUpdate(context.get(), first.data(), first.size()) == 1);
    for (const auto& part : rest) CHECK(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
    CHECK(EVP_DigestFinal_ex(context.get(), out.data(), nullptr) == 1);
}

void compute_mac(EVP_MAC* algorithm, BytesView key, const OSSL_PARAM* parameters,
                 std::initializer_list<BytesView> parts, std::span<std::uint8_t> out) {
    const MacContext context(EVP_MAC_CTX_new(algorithm));
    CHECK(context != nullptr);
    CHECK(EVP_MAC_init(context.get(), key.data(), key.size(), parameters) == 1);
    for (const auto& part : parts) CHECK(EVP_MAC_update(context.get(), part.data(), part.size()) == 1);
    std::size_t length = 0;
    CHECK(EVP_MAC_final(context.get(), out.data(), &length, out.size()) == 1 && length == out.size());
}

/// HMAC (RFC 2104) of BLAKE2s. OpenSSL's own takes twice as long: it looks for the digest by its name each time. `key`
/// has at most 64 bytes.
void hmac_blake2s(BytesView key, std::initializer_list<BytesView> parts, std::span<std::uint8_t, 32> out) {
    Secret<64> pad;
    const auto fill = [&](std::uint8_t constant) {
        const auto bytes = pad.expose_mutable();
        std::fill(bytes.begin(), bytes.end(), constant);
        for (std::size_t i = 0; i < key.size(); ++i) bytes[i] ^= key[i];
    };
    Secret<32> inner;
    fill(0x36);
    hash_blake2s(pad.expose(), parts, inner.expose_mutable());
    fill(0x5c);
    hash_blake2s(pad.expose(), {inner.expose()}, out);
}

void seal_with(std::span<const std::uint8_t, 32> key, const Nonce& nonce, BytesView plain, BytesView additional,
               std::span<std::uint8_t> sealed) {
    CHECK(sealed.size() == plain.size() + kTagSize);
    const CipherContext context(EVP_CIPHER_CTX_new());
    CHECK(context != nullptr);
    CHECK(EVP_EncryptInit_ex2(context.get(), aead_algorithm(), key.data(), nonce.data(), nullptr) == 1);
    int written = 0;
    CHECK(EVP_EncryptUpdate(context.get(), nullptr, &written, additional.data(), static_cast<int>(additional.size())) ==
          1);
    CHECK(EVP_EncryptUpdate(context.get(), sealed.data(), &written, plain.data(), static_cast<int>(plain.size())) == 1);
    CHECK(EVP_EncryptFinal_ex(context.get(), sealed.data() + plain.size(), &written) == 1);
    CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagSize, sealed.data() + plain.size()) == 1);
}

bool open_with(std::span<const std::uint8_t, 32> key, const Nonce& nonce, BytesView sealed, BytesView additional,
               std::span<std::uint8_t> plain) {
    CHECK(sealed.size() == plain.size() + kTagSize);
    const CipherContext context(EVP_CIPHER_CTX_new());
    CHECK(context != nullptr);
    CHECK(EVP_DecryptInit_ex2(context.get(), aead_algorithm(), key.data(), nonce.data(), nullptr) == 1);
    std::array<std::uint8_t, kTagSize> tag{};
    std::copy_n(sealed.end() - kTagSize, kTagSize, tag.begin());
    CHECK(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagSize, tag.data()) == 1);
    int written = 0;
    CHECK(EVP_DecryptUpdate(context.get(), nullptr, &written, additional.data(), static_cast<int>(additional.size())) ==
          1);
    CHECK(EVP_DecryptUpdate(context.get(), plain.data(), &written, sealed.data(), static_cast<int>(plain.size())) == 1);
    std::array<std::uint8_t, kTagSize> nothing{};
    const bool authentic = EVP_DecryptFinal_ex(context.get(), nothing.data(), &written) == 1;
    if (!authentic) secure_wipe(plain);
    return authentic;
}

Nonce counter_nonce(std::uint64_t counter) {
    Nonce nonce{};
    store_little_endian(std::span(nonce).subspan(4), counter);
    return nonce;
}

/// HChaCha20: ChaCha20's rounds without the final addition of the initial state. One block of ChaCha20 over zeros is
/// the state with that addition, which is subtracted again.
Secret<32> hchacha20(const Secret<32>& key, std::span<const std::uint8_t, 16> input) {
    static const EVP_CIPHER* const algorithm = cipher_algorithm("ChaCha20");
    const CipherContext context(EVP_CIPHER_CTX_new());
    CHECK(context != nullptr);
    CHECK(EVP_EncryptInit_ex2(context.get(), algorithm, key.expose().data(), input.data(), nullptr) == 1);
    const std::array<std::uint8_t, 64> zeros{};
    Secret<64> block;
    int written = 0;
    CHECK(EVP_EncryptUpdate(context.get(), block.expose_mutable().data(), &written, zeros.data(), zeros.size()) == 1);
    const auto constants = as_bytes("expand 32-byte k");
    Secret<32> out;
    const auto subtract = [&](std::size_t to, std::size_t from, BytesView initial) {
        for (std::size_t i = 0; i < 16; i += 4) {
            const auto sum = load_little_endian<std::uint32_t>(block.expose().subspan(from + i, 4));
            const auto word = sum - load_little_endian<std::uint32_t>(initial.subspan(i, 4));
            store_little_endian(out.expose_mutable().subspan(to + i, 4), word);
        }
    };
    subtract(0, 0, constants);
    subtract(16, 48, input);
    return out;
}

Nonce extended_rest(const XNonce& nonce) {
    Nonce rest{};
    std::copy(nonce.begin() + 16, nonce.end(), rest.begin() + 4);
    return rest;
}

}  // namespace

Hash32 blake2s(std::initializer_list<BytesView> parts) {
    Hash32 digest;
    hash_blake2s({}, parts, digest.bytes);
    return digest;
}

Mac blake2s_mac(BytesView key, std::initializer_list<BytesView> parts) {
    static EVP_MAC* const algorithm = mac_algorithm("BLAKE2SMAC");
    std::size_t size = kMacSize;
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size),
                                     OSSL_PARAM_construct_end()};
    Mac mac{};
    compute_mac(algorithm, key, parameters, parts, mac);
    return mac;
}

void derive_keys(BytesView chaining_key, BytesView input, std::initializer_list<std::span<std::uint8_t, 32>> outputs) {
    Secret<32> extracted;
    hmac_blake2s(chaining_key, {input}, extracted.expose_mutable());
    BytesView previous;
    std::uint8_t index = 1;
    for (const auto& output : outputs) {
        hmac_blake2s(extracted.expose(), {previous, BytesView(&index, 1)}, output);
        previous = output;
        ++index;
    }
}

void clamp(Secret<32>& private_key) {
    const auto bytes = private_key.expose_mutable();
    bytes[0] &= 248;
    bytes[31] = static_cast<std::uint8_t>((bytes[31] & 127) | 64);
}

Secret<32> make_private_key(Rng& rng) {
    Secret<32> key;
    rng.fill(key.expose_mutable());
    clamp(key);
    return key;
}

namespace {

/// With the public key it does not have to be computed.
EVP_PKEY* handle_of(const Secret<32>& private_key, const TunnelKey& public_key) {
    // OpenSSL reads them only.
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PRIV_KEY,
                                          const_cast<std::uint8_t*>(private_key.expose().data()), 32),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, const_cast<std::uint8_t*>(public_key.bytes.data()),
                                          32),
        OSSL_PARAM_construct_end()};
    const std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>> context(
        EVP_PKEY_CTX_new_from_name(nullptr, "X25519", nullptr));
    CHECK(context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1);
    EVP_PKEY* key = nullptr;
    CHECK(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, const_cast<OSSL_PARAM*>(parameters)) == 1);
    return key;
}

}  // namespace

AgreementKey::AgreementKey(evp_pkey_st* key)
    : key_(key), context_(EVP_PKEY_CTX_new_from_pkey(nullptr, key_.get(), nullptr)) {
    CHECK(key_ != nullptr && context_ != nullptr);
    CHECK(EVP_PKEY_derive_init(context_.get()) == 1);
}

AgreementKey::AgreementKey(const Secret<32>& private_key)
    : AgreementKey(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, private_key.expose().data(), 32)) {}

AgreementKey::AgreementKey(const Secret<32>& private_key, const TunnelKey& public_key)
    : AgreementKey(handle_of(private_key, public_key)) {}

TunnelKey AgreementKey::public_key() const {
    TunnelKey key;
    std::size_t size = key.bytes.size();
    CHECK(EVP_PKEY_get_raw_public_key(key_.get(), key.bytes.data(), &size) == 1 && size == key.bytes.size());
    return key;
}

std::optional<Secret<32>> AgreementKey::agree(const TunnelKey& peer) const {
    const KeyHandle other(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, peer.bytes.data(), peer.bytes.size()));
    CHECK(other != nullptr);
    constexpr int kUnchecked = 0;  // any 32 bytes are a point; low order shows in the result
    if (EVP_PKEY_derive_set_peer_ex(context_.get(), other.get(), kUnchecked) != 1) return std::nullopt;
    std::optional<Secret<32>> secret(std::in_place);
    std::size_t size = 32;
    if (EVP_PKEY_derive(context_.get(), secret->expose_mutable().data(), &size) != 1 || size != 32) return std::nullopt;
    if (secret->equals(Secret<32>{})) return std::nullopt;
    return secret;
}

void AgreementKey::Free::operator()(evp_pkey_st* key) const {
    EVP_PKEY_free(key);
}

void AgreementKey::Free::operator()(evp_pkey_ctx_st* context) const {
    EVP_PKEY_CTX_free(context);
}

TunnelKey public_key_of(const Secret<32>& private_key) {
    return AgreementKey(private_key).public_key();
}

std::optional<Secret<32>> shared_secret(const Secret<32>& own, const TunnelKey& peer) {
    return AgreementKey(own).agree(peer);
}

void seal(const Secret<32>& key, std::uint64_t counter, BytesView plain, BytesView additional,
          std::span<std::uint8_t> sealed) {
    seal_with(key.expose(), counter_nonce(counter), plain, additional, sealed);
}

bool open(const Secret<32>& key, std::uint64_t counter, BytesView sealed, BytesView additional,
          std::span<std::uint8_t> plain) {
    return open_with(key.expose(), counter_nonce(counter), sealed, additional, plain);
}

void seal_extended(const Secret<32>& key, const XNonce& nonce, BytesView plain, BytesView additional,
                   std::span<std::uint8_t> sealed) {
    const auto subkey = hchacha20(key, std::span(nonce).first<16>());
    seal_with(subkey.expose(), extended_rest(nonce), plain, additional, sealed);
}

bool open_extended(const Secret<32>& key, const XNonce& nonce, BytesView sealed, BytesView additional,
                   std::span<std::uint8_t> plain) {
    const auto subkey = hchacha20(key, std::span(nonce).first<16>());
    return open_with(subkey.expose(), extended_rest(nonce), sealed, additional, plain);
}

}  // namespace myst::wireguard
