// For the tests of the back-ends: all that work here, and packets to feed them.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "myst/base/check.hpp"
#include "myst/wireguard/aead/aead.hpp"

namespace myst::wireguard::test {

using Generator = std::mt19937_64;

/// Parameter of tests that every back-end must pass; one that this machine lacks is skipped.
class EveryBackend : public testing::TestWithParam<AeadBackend> {
protected:
    void SetUp() override {
        aead = make_aead(GetParam());
        if (!aead) GTEST_SKIP() << "this build or processor lacks the back-end";
    }
    std::unique_ptr<Aead> aead;
};

inline std::string backend_name(const testing::TestParamInfo<AeadBackend>& info) {
    switch (info.param) {
        case AeadBackend::openssl: return "openssl";
        case AeadBackend::ipsec_mb: return "ipsec_mb";
        case AeadBackend::avx512: break;
    }
    return "avx512";
}

inline void fill(Generator& random, std::span<std::uint8_t> out) {
    for (std::size_t at = 0; at < out.size(); at += sizeof(std::uint64_t)) {
        const auto number = random();
        std::memcpy(out.data() + at, &number, std::min(sizeof number, out.size() - at));
    }
}

/// `size` bytes that end where the readable memory ends, or begin where it begins.
class GuardedBuffer {
public:
    enum class Side { before, behind };

    GuardedBuffer(std::size_t size, Side side) : size_(size), page_(static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
        inner_ = (size + page_ - 1) / page_ * page_;
        void* mapped = mmap(nullptr, inner_ + 2 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        CHECK(mapped != MAP_FAILED);
        base_ = static_cast<std::uint8_t*>(mapped);
        CHECK(inner_ == 0 || mprotect(base_ + page_, inner_, PROT_READ | PROT_WRITE) == 0);
        begin_ = base_ + page_ + (side == Side::behind ? inner_ - size : 0);
    }
    GuardedBuffer(const GuardedBuffer&) = delete;
    GuardedBuffer& operator=(const GuardedBuffer&) = delete;
    ~GuardedBuffer() { munmap(base_, inner_ + 2 * page_); }

    [[nodiscard]] std::span<std::uint8_t> bytes() const { return {begin_, size_}; }

private:
    std::size_t size_;
    std::size_t page_;
    std::size_t inner_ = 0;
    std::uint8_t* base_ = nullptr;
    std::uint8_t* begin_ = nullptr;
};

/// A batch with keys, texts and associated data at random.
struct Batch {
    std::vector<AeadKey> keys;
    std::vector<Bytes> associated;
    std::vector<Bytes> messages;
    std::vector<AeadJob> jobs;

    Batch(Generator& random, const std::vector<std::size_t>& lengths, std::size_t key_count, bool with_associated)
        : keys(key_count), associated(lengths.size()), messages(lengths.size()), jobs(lengths.size()) {
        for (auto& key : keys) fill(random, key.expose_mutable());
        for (std::size_t i = 0; i < lengths.size(); ++i) {
            messages[i].resize(lengths[i] + kAeadTagSize);
            fill(random, messages[i]);
            if (with_associated) associated[i].resize(random() % 70);
            fill(random, associated[i]);
            jobs[i] = {&keys[random() % keys.size()], random(), messages[i], associated[i]};
            if (with_associated) jobs[i].prefix = static_cast<std::uint32_t>(random());
        }
    }
    /// The same jobs over another copy of the messages.
    [[nodiscard]] std::vector<AeadJob> over(std::vector<Bytes>& copy) const {
        auto result = jobs;
        for (std::size_t i = 0; i < result.size(); ++i) result[i].message = copy[i];
        return result;
    }
};

}  // namespace myst::wireguard::test
