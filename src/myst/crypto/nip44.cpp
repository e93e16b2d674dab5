#include "myst/crypto/nip44.hpp"

#include <algorithm>
#include <bit>
#include <memory>
#include <optional>
#include <string>

#include <openssl/evp.h>

#include "myst/base/check.hpp"
#include "myst/crypto/base64.hpp"
#include "myst/crypto/sha256.hpp"

namespace myst::crypto {
namespace {

constexpr std::uint8_t kVersion = 2;
constexpr std::size_t kMaxPlaintext = 65'535;
constexpr std::size_t kNonceBytes = 32;
constexpr std::size_t kMacBytes = 32;
constexpr std::size_t kLengthBytes = 2;
// version ‖ nonce ‖ padded plaintext with its length (34 … 65 538) ‖ MAC, and the same in base64.
constexpr std::size_t kMinPayload = 99;
constexpr std::size_t kMaxPayload = 65'603;
constexpr std::size_t kMinText = 132;
constexpr std::size_t kMaxText = 87'472;

/// Bytes that are wiped when they go, for plaintext in transit.
struct Wiped {
    Bytes bytes;
    ~Wiped() { secure_wipe(bytes); }
};

struct CipherDeleter {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

const EVP_CIPHER* chacha20_algorithm() {
    static const EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, "ChaCha20", nullptr);
    CHECK(algorithm != nullptr);
    return algorithm;
}

// Encrypts or decrypts: the same operation.
void chacha20(const Nip44MessageKeys& keys, BytesView in, std::span<std::uint8_t> out) {
    CHECK(in.size() == out.size());
    std::array<std::uint8_t, 16> counter_and_nonce{};  // the block counter starts at zero
    std::copy(keys.cipher_nonce.expose().begin(), keys.cipher_nonce.expose().end(), counter_and_nonce.begin() + 4);
    const std::unique_ptr<EVP_CIPHER_CTX, CipherDeleter> context(EVP_CIPHER_CTX_new());
    CHECK(context != nullptr);
    CHECK(EVP_EncryptInit_ex2(context.get(), chacha20_algorithm(), keys.cipher_key.expose().data(),
                              counter_and_nonce.data(), nullptr) == 1);
    int written = 0;
    CHECK(EVP_EncryptUpdate(context.get(), out.data(), &written, in.data(), static_cast<int>(in.size())) == 1);
    CHECK(written == static_cast<int>(in.size()));
}

Wiped pad(std::string_view plaintext) {
    Wiped padded{Bytes(kLengthBytes + nip44_padded_length(plaintext.size()))};
    padded.bytes[0] = static_cast<std::uint8_t>(plaintext.size() >> 8);
    padded.bytes[1] = static_cast<std::uint8_t>(plaintext.size() & 0xff);
    std::copy(plaintext.begin(), plaintext.end(), padded.bytes.begin() + kLengthBytes);
    return padded;
}

// None if the padding is not what the specification computes for this length.
std::optional<std::string> unpad(BytesView padded) {
    if (padded.size() < kLengthBytes) return std::nullopt;
    const std::size_t length = static_cast<std::size_t>(padded[0]) << 8 | padded[1];
    if (length == 0 || padded.size() != kLengthBytes + nip44_padded_length(length)) return std::nullopt;
    return std::string(as_text(padded.subspan(kLengthBytes, length)));
}

tl::unexpected<Error> cannot_open() {
    return fail(ErrorCode::invalid_data, "the encrypted message cannot be opened");
}

}  // namespace

std::size_t nip44_padded_length(std::size_t length) {
    CHECK(length >= 1 && length <= kMaxPlaintext);
    if (length <= 32) return 32;
    const std::size_t next_power = std::bit_ceil(length);
    const std::size_t chunk = next_power <= 256 ? 32 : next_power / 8;
    return (length + chunk - 1) / chunk * chunk;
}

Result<Secret<32>> nip44_conversation_key(const PrivateKey& own, const NodeKey& peer) {
    const auto shared = own.shared_x(peer);
    if (!shared) return tl::unexpected<Error>(shared.error());
    Secret<32> key;
    hmac_sha256_into(as_bytes("nip44-v2"), {shared->expose()}, key.expose_mutable());
    return key;
}

// HKDF-Expand of RFC 5869 for 76 bytes: three blocks, of which the last is used in part.
Nip44MessageKeys nip44_message_keys(const Secret<32>& conversation_key, const Hash32& nonce) {
    Secret<96> stream;
    const auto block = [&](std::size_t i) { return stream.expose_mutable().subspan(32 * i).first<32>(); };
    for (std::size_t i = 0; i < 3; ++i) {
        const std::array<std::uint8_t, 1> index{static_cast<std::uint8_t>(i + 1)};
        const BytesView previous = i == 0 ? BytesView{} : BytesView(block(i - 1));
        hmac_sha256_into(conversation_key.expose(), {previous, nonce.bytes, index}, block(i));
    }
    Nip44MessageKeys keys;
    const auto bytes = stream.expose();
    std::copy_n(bytes.begin(), 32, keys.cipher_key.expose_mutable().begin());
    std::copy_n(bytes.begin() + 32, 12, keys.cipher_nonce.expose_mutable().begin());
    std::copy_n(bytes.begin() + 44, 32, keys.mac_key.expose_mutable().begin());
    return keys;
}

Result<std::string> nip44_encrypt(const Secret<32>& conversation_key, std::string_view plaintext, Rng& rng) {
    if (plaintext.empty() || plaintext.size() > kMaxPlaintext) {
        return fail(ErrorCode::invalid_argument, "an encrypted message holds 1 to 65535 bytes");
    }
    const auto nonce = random_bytes<Hash32>(rng);
    const auto keys = nip44_message_keys(conversation_key, nonce);
    const auto padded = pad(plaintext);
    Bytes payload(1 + kNonceBytes + padded.bytes.size());
    payload[0] = kVersion;
    std::copy(nonce.bytes.begin(), nonce.bytes.end(), payload.begin() + 1);
    const auto ciphertext = std::span(payload).subspan(1 + kNonceBytes);
    chacha20(keys, padded.bytes, ciphertext);
    const auto mac = hmac_sha256(keys.mac_key.expose(), {nonce.bytes, ciphertext});
    payload.insert(payload.end(), mac.bytes.begin(), mac.bytes.end());
    return to_base64(payload);
}

Result<std::string> nip44_decrypt(const Secret<32>& conversation_key, std::string_view payload) {
    if (payload.size() < kMinText || payload.size() > kMaxText) return cannot_open();
    const auto decoded = parse_base64(payload);
    if (!decoded || decoded->size() < kMinPayload || decoded->size() > kMaxPayload || decoded->front() != kVersion) {
        return cannot_open();
    }
    const auto data = BytesView(*decoded).subspan(1);
    Hash32 nonce;
    std::copy_n(data.begin(), kNonceBytes, nonce.bytes.begin());
    const auto ciphertext = data.subspan(kNonceBytes, data.size() - kNonceBytes - kMacBytes);
    const auto keys = nip44_message_keys(conversation_key, nonce);
    const auto mac = hmac_sha256(keys.mac_key.expose(), {nonce.bytes, ciphertext});
    if (!equal_constant_time(mac.bytes, data.last(kMacBytes))) return cannot_open();
    Wiped padded{Bytes(ciphertext.size())};
    chacha20(keys, ciphertext, padded.bytes);
    auto plaintext = unpad(padded.bytes);
    if (!plaintext) return cannot_open();
    return std::move(*plaintext);
}

Result<std::string> nip44_encrypt(const PrivateKey& from, const NodeKey& to, std::string_view plaintext, Rng& rng) {
    auto key = nip44_conversation_key(from, to);
    if (!key) return forward_error(key);
    return nip44_encrypt(*key, plaintext, rng);
}

Result<std::string> nip44_decrypt(const PrivateKey& to, const NodeKey& from, std::string_view payload) {
    const auto key = nip44_conversation_key(to, from);
    if (!key) return cannot_open();
    return nip44_decrypt(*key, payload);
}

}  // namespace myst::crypto
