// What is left of keys in memory after a batch: nothing.
#include <pthread.h>

#include <array>
#include <string_view>

#include "myst/wireguard/aead/test_support/packets.hpp"

namespace myst::wireguard {
namespace {

constexpr std::size_t kStackSize = std::size_t{1} << 20;

struct Work {
    Aead* aead;
    std::vector<AeadJob> jobs;
};

void* work(void* argument) {
    auto& work = *static_cast<Work*>(argument);
    work.aead->seal_batch(work.jobs);
    work.aead->open_batch(work.jobs);
    return nullptr;
}

/// Does the work in a thread with this memory as its stack.
void run_on(std::span<std::uint8_t> stack, Work& argument) {
    pthread_attr_t attributes;
    pthread_t thread{};
    ASSERT_EQ(pthread_attr_init(&attributes), 0);
    ASSERT_EQ(pthread_attr_setstack(&attributes, stack.data(), stack.size()), 0);
    ASSERT_EQ(pthread_create(&thread, &attributes, work, &argument), 0);
    ASSERT_EQ(pthread_join(thread, nullptr), 0);
    pthread_attr_destroy(&attributes);
}

/// Places of the memory that hold a word of the key twice in a row (a vector's lanes) or two words that follow.
std::size_t traces_of(BytesView key, BytesView memory) {
    std::size_t found = 0;
    const auto text = as_text(memory);
    for (std::size_t word = 0; word + 4 <= key.size(); word += 4) {
        std::string twice(as_text(key.subspan(word, 4)));
        twice += twice;
        if (text.find(twice) != std::string_view::npos) ++found;
        if (word + 8 <= key.size() && text.find(as_text(key.subspan(word, 8))) != std::string_view::npos) ++found;
    }
    return found;
}

class KeyWiping : public test::EveryBackend {};

TEST_P(KeyWiping, TheStackHoldsNoPartOfTheKey) {
    test::Generator random{11};
    std::array<AeadKey, 2> keys;
    for (auto& key : keys) test::fill(random, key.expose_mutable());
    std::vector<Bytes> messages(16, Bytes(700));
    Work argument{aead.get(), {}};
    for (std::size_t i = 0; i < messages.size(); ++i) argument.jobs.push_back({&keys[i % 2], i, messages[i]});
    void* memory = mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    const std::span stack(static_cast<std::uint8_t*>(memory), kStackSize);
    run_on(stack, argument);
    for (const auto& key : keys) EXPECT_EQ(traces_of(key.expose(), stack), 0U);
    munmap(memory, kStackSize);
}

INSTANTIATE_TEST_SUITE_P(Aead, KeyWiping,
                         testing::Values(AeadBackend::openssl, AeadBackend::ipsec_mb, AeadBackend::avx512),
                         test::backend_name);

TEST(KeyWiping, TheSearchFindsAKey) {
    test::Generator random{11};
    AeadKey key;
    test::fill(random, key.expose_mutable());
    Bytes memory(1000);
    std::copy(key.expose().begin(), key.expose().end(), memory.begin() + 333);
    EXPECT_EQ(traces_of(key.expose(), memory), 7U);
    EXPECT_EQ(traces_of(key.expose(), Bytes(1000)), 0U);
}

}  // namespace
}  // namespace myst::wireguard
