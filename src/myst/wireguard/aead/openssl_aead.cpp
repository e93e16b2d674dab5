// The back-end that works everywhere, and the one that others are compared with.
#include <cstring>
#include <stdexcept>

#include <openssl/evp.h>

#include "myst/base/check.hpp"
#include "myst/wireguard/aead/backends.hpp"

namespace myst::wireguard::detail {

namespace {

struct FreeContext {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};

/// Setting the key is a third of a small packet's cost, so it is set only where it changes within a batch.
class OpensslAead final : public Aead {
public:
    OpensslAead() : context_(EVP_CIPHER_CTX_new()) {
        if (!context_ ||
            EVP_CipherInit_ex(context_.get(), EVP_chacha20_poly1305(), nullptr, nullptr, nullptr, 1) != 1) {
            throw std::runtime_error("OpenSSL has no ChaCha20-Poly1305");
        }
    }

    [[nodiscard]] std::string_view name() const override { return "openssl"; }

private:
    void seal_group(Group jobs) override {
        for (auto* job : jobs) {
            start(*job, kEncrypt);
            update(*job);
            int length = 0;
            CHECK(EVP_CipherFinal_ex(context_.get(), job->tag(), &length) == 1 && length == 0);
            CHECK(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_GET_TAG, kAeadTagSize, job->tag()) == 1);
        }
    }

    void open_group(Group jobs) override {
        for (auto* job : jobs) {
            start(*job, kDecrypt);
            CHECK(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_AEAD_SET_TAG, kAeadTagSize, job->tag()) == 1);
            update(*job);
            int length = 0;
            job->authentic = EVP_CipherFinal_ex(context_.get(), job->tag(), &length) == 1;
        }
    }

    /// The context has no way to drop its key but to take another.
    void forget_keys() override {
        static const AeadKey kNoKey;
        CHECK(EVP_CipherInit_ex(context_.get(), nullptr, nullptr, kNoKey.expose().data(), nullptr, kEncrypt) == 1);
        key_ = nullptr;
    }

    void start(const AeadJob& job, int direction) {
        const auto* key = job.key == key_ ? nullptr : job.key->expose().data();
        key_ = job.key;
        CHECK(EVP_CipherInit_ex(context_.get(), nullptr, nullptr, key, nonce_of(job).data(), direction) == 1);
    }

    void update(const AeadJob& job) {
        int length = 0;
        if (!job.associated.empty()) {
            CHECK(EVP_CipherUpdate(context_.get(), nullptr, &length, job.associated.data(),
                                   static_cast<int>(job.associated.size())) == 1);
        }
        // An empty update would be taken for the end of the message.
        const auto text = job.text();
        if (text.empty()) return;
        CHECK(EVP_CipherUpdate(context_.get(), text.data(), &length, text.data(), static_cast<int>(text.size())) == 1);
    }

    static constexpr int kEncrypt = 1;
    static constexpr int kDecrypt = 0;

    std::unique_ptr<EVP_CIPHER_CTX, FreeContext> context_;
    const AeadKey* key_ = nullptr;  ///< that the context has; only compared
};

}  // namespace

std::array<std::uint8_t, kNonceSize> nonce_of(const AeadJob& job) {
    std::array<std::uint8_t, kNonceSize> nonce{};
    for (std::size_t i = 0; i < 4; ++i) nonce[i] = static_cast<std::uint8_t>(job.prefix >> (8 * i));
    for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<std::uint8_t>(job.counter >> (8 * i));
    return nonce;
}

std::unique_ptr<Aead> make_openssl_aead() {
    return std::make_unique<OpensslAead>();
}

}  // namespace myst::wireguard::detail
