// Published vectors: RFC 8439's example and Wycheproof's, in batches of mixed lengths, and one by one.
#include <algorithm>

#include "myst/wireguard/aead/test_support/packets.hpp"
#include "vectors/load.hpp"

namespace myst::wireguard {
namespace {

struct Vector {
    AeadKey key;
    Bytes nonce, associated, text, sealed;
    bool valid = false;
    int id = 0;

    /// `message` with the sealed or the plain text in it.
    [[nodiscard]] AeadJob job(Bytes& message) const {
        std::uint32_t prefix = 0;
        std::uint64_t counter = 0;
        std::memcpy(&prefix, nonce.data(), sizeof prefix);
        std::memcpy(&counter, nonce.data() + sizeof prefix, sizeof counter);
        return {&key, counter, message, associated, prefix};
    }
};

std::vector<Vector> load() {
    std::vector<Vector> vectors;
    const auto document = myst::test::load_json("chacha20_poly1305.json");
    for (const auto& entry : document.as_array()) {
        Vector vector;
        const auto key = myst::test::hex(entry, "key");
        std::copy(key.begin(), key.end(), vector.key.expose_mutable().begin());
        vector.nonce = myst::test::hex(entry, "iv");
        vector.associated = myst::test::hex(entry, "aad");
        vector.text = myst::test::hex(entry, "msg");
        vector.sealed = myst::test::hex(entry, "ct");
        const auto tag = myst::test::hex(entry, "tag");
        vector.sealed.insert(vector.sealed.end(), tag.begin(), tag.end());
        vector.valid = myst::test::text(entry, "result") == "valid";
        vector.id = static_cast<int>(entry.at("id").as_int64());
        vectors.push_back(std::move(vector));
    }
    return vectors;
}

class AeadVectors : public test::EveryBackend {
protected:
    /// Runs the vectors in batches of this size.
    void check(std::size_t batch) {
        const auto all = load();
        ASSERT_EQ(all.size(), 316U);
        for (std::size_t first = 0; first < all.size(); first += batch) {
            const auto count = std::min(batch, all.size() - first);
            check_open({all.data() + first, count});
            check_seal({all.data() + first, count});
        }
    }

    void check_open(std::span<const Vector> vectors) {
        std::vector<Bytes> messages;
        std::vector<AeadJob> jobs;
        for (const auto& vector : vectors) messages.push_back(vector.sealed);
        for (std::size_t i = 0; i < vectors.size(); ++i) jobs.push_back(vectors[i].job(messages[i]));
        aead->open_batch(jobs);
        for (std::size_t i = 0; i < vectors.size(); ++i) {
            EXPECT_EQ(jobs[i].authentic, vectors[i].valid) << "case " << vectors[i].id;
            const auto text = jobs[i].text();
            if (vectors[i].valid) {
                EXPECT_TRUE(std::equal(text.begin(), text.end(), vectors[i].text.begin())) << "case " << vectors[i].id;
            } else {
                EXPECT_EQ(messages[i], Bytes(messages[i].size(), 0)) << "case " << vectors[i].id;
            }
        }
    }

    void check_seal(std::span<const Vector> vectors) {
        std::vector<Bytes> messages;
        std::vector<AeadJob> jobs;
        for (const auto& vector : vectors) messages.push_back(vector.text);
        for (auto& message : messages) message.resize(message.size() + kAeadTagSize);
        for (std::size_t i = 0; i < vectors.size(); ++i) jobs.push_back(vectors[i].job(messages[i]));
        aead->seal_batch(jobs);
        for (std::size_t i = 0; i < vectors.size(); ++i) {
            EXPECT_EQ(messages[i] == vectors[i].sealed, vectors[i].valid) << "case " << vectors[i].id;
        }
    }
};

TEST_P(AeadVectors, OneByOne) {
    check(1);
}

TEST_P(AeadVectors, InBatches) {
    check(16);
    check(7);
    check(64);
}

INSTANTIATE_TEST_SUITE_P(Aead, AeadVectors,
                         testing::Values(AeadBackend::openssl, AeadBackend::ipsec_mb, AeadBackend::avx512),
                         test::backend_name);

}  // namespace
}  // namespace myst::wireguard
