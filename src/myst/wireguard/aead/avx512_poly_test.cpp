// Poly1305 where its last reduction matters. ChaCha20 never gives such keys by chance, so the vector code is asked
// directly, and OpenSSL's Poly1305 tells what is right.
#include <cstring>
#include <memory>

#include <openssl/evp.h>

#include "myst/wireguard/aead/avx512_kernel.hpp"
#include "myst/wireguard/aead/test_support/packets.hpp"

namespace myst::wireguard {
namespace {

using detail::avx512::PacketGroup;

using OneTimeKey = std::array<std::uint8_t, 32>;
using Tag = std::array<std::uint8_t, kAeadTagSize>;

/// Of the text, padded, and the lengths behind it, as RFC 8439 has it.
Tag openssl_tag(const OneTimeKey& key, const Bytes& text) {
    Bytes input = text;
    input.resize((text.size() + 15) / 16 * 16 + 16);
    const std::uint64_t size = text.size();
    std::memcpy(input.data() + input.size() - 8, &size, sizeof size);
    const std::unique_ptr<EVP_MAC, void (*)(EVP_MAC*)> mac(EVP_MAC_fetch(nullptr, "POLY1305", nullptr), EVP_MAC_free);
    const std::unique_ptr<EVP_MAC_CTX, void (*)(EVP_MAC_CTX*)> context(EVP_MAC_CTX_new(mac.get()), EVP_MAC_CTX_free);
    Tag tag{};
    std::size_t written = 0;
    CHECK(EVP_MAC_init(context.get(), key.data(), key.size(), nullptr) == 1);
    CHECK(EVP_MAC_update(context.get(), input.data(), input.size()) == 1);
    CHECK(EVP_MAC_final(context.get(), tag.data(), &written, tag.size()) == 1);
    return tag;
}

struct Case {
    OneTimeKey key{};
    Bytes text;
};

/// r = 1, so that the accumulator is the sum of all blocks: with two blocks of text, 2¹³⁰ + `above_2_130`.
Case with_sum(int above_2_130, std::uint8_t s) {
    Case edge;
    edge.key[0] = 1;
    edge.key[16] = s;
    edge.text = Bytes(32, 0);
    // The bits above the three blocks make 3 · 2¹²⁸, and the lengths are 32 · 2⁶⁴.
    std::uint64_t low = 0;
    low += static_cast<std::uint64_t>(above_2_130);
    const std::uint64_t high = (above_2_130 < 0 ? ~std::uint64_t{0} : 0) - 32;
    std::memcpy(edge.text.data(), &low, sizeof low);
    std::memcpy(edge.text.data() + 8, &high, sizeof high);
    return edge;
}

std::vector<Case> cases() {
    std::vector<Case> result;
    for (int above = -8; above < 0; ++above) result.push_back(with_sum(above, static_cast<std::uint8_t>(above + 8)));
    for (const std::size_t size : {0UL, 1UL, 16UL, 48UL, 64UL, 100UL, 1024UL, 1440UL}) {
        Case largest;  // every bit of r, s and text
        largest.key.fill(0xff);
        largest.text = Bytes(size, 0xff);
        result.push_back(largest);
    }
    return result;
}

void expect_tags(std::vector<Case> list) {
    auto group = std::make_unique<PacketGroup>();
    group->count = list.size();
    for (std::size_t i = 0; i < list.size(); ++i) {
        std::memcpy(group->one_time_keys[i], list[i].key.data(), list[i].key.size());
        group->texts[i] = list[i].text.data();
        group->sizes[i] = list[i].text.size();
    }
    detail::avx512::compute_tags(*group);
    for (std::size_t i = 0; i < list.size(); ++i) {
        Tag tag{};
        std::memcpy(tag.data(), group->tags[i], tag.size());
        EXPECT_EQ(tag, openssl_tag(list[i].key, list[i].text)) << "packet " << i << " of " << list.size();
    }
}

TEST(Avx512Poly, LastReduction) {
    if (!make_aead(AeadBackend::avx512)) GTEST_SKIP() << "this build or processor lacks the back-end";
    expect_tags(cases());
    for (auto& edge : cases()) expect_tags({edge});
}

}  // namespace
}  // namespace myst::wireguard
