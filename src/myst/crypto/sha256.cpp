#include "myst/crypto/sha256.hpp"

#include <memory>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "myst/base/check.hpp"

namespace myst::crypto {
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

// Looked up once: a fetch by name takes longer than a short hash. Kept until the process ends.
const EVP_MD* sha256_algorithm() {
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    CHECK(algorithm != nullptr);
    return algorithm;
}

EVP_MAC* hmac_algorithm() {
    static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    CHECK(algorithm != nullptr);
    return algorithm;
}

}  // namespace

Hash32 sha256(BytesView data) {
    return sha256({data});
}

Hash32 sha256(std::initializer_list<BytesView> parts) {
    thread_local const DigestContext context(EVP_MD_CTX_new());
    CHECK(context != nullptr);
    CHECK(EVP_DigestInit_ex2(context.get(), sha256_algorithm(), nullptr) == 1);
    for (const auto& part : parts) CHECK(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
    Hash32 digest;
    CHECK(EVP_DigestFinal_ex(context.get(), digest.bytes.data(), nullptr) == 1);
    return digest;
}

void hmac_sha256_into(BytesView key, std::initializer_list<BytesView> parts, std::span<std::uint8_t, 32> out) {
    const MacContext context(EVP_MAC_CTX_new(hmac_algorithm()));
    CHECK(context != nullptr);
    char digest_name[] = "SHA256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
                                     OSSL_PARAM_construct_end()};
    // A null key means "keep the previous one" to OpenSSL; an empty key must still be a key.
    const std::uint8_t empty = 0;
    CHECK(EVP_MAC_init(context.get(), key.empty() ? &empty : key.data(), key.size(), parameters) == 1);
    for (const auto& part : parts) CHECK(EVP_MAC_update(context.get(), part.data(), part.size()) == 1);
    std::size_t length = 0;
    CHECK(EVP_MAC_final(context.get(), out.data(), &length, out.size()) == 1);
    CHECK(length == out.size());
}

Hash32 hmac_sha256(BytesView key, std::initializer_list<BytesView> parts) {
    Hash32 digest;
    hmac_sha256_into(key, parts, digest.bytes);
    return digest;
}

}  // namespace myst::crypto
