#include "myst/wireguard/aead/aead.hpp"

#include <algorithm>
#include <numeric>

#include "myst/wireguard/aead/sized_aead.hpp"
#include "myst/wireguard/aead/test_support/packets.hpp"

namespace myst::wireguard {
namespace {

using test::Batch;
using test::Generator;
using test::GuardedBuffer;

constexpr std::size_t kLongest = 1500;

class AeadBatch : public test::EveryBackend {
protected:
    /// Seals with OpenSSL and with the back-end, compares, and opens again.
    void compare(const Batch& batch) {
        auto expected = batch.messages;
        auto expected_jobs = batch.over(expected);
        reference->seal_batch(expected_jobs);
        auto sealed = batch.messages;
        auto jobs = batch.over(sealed);
        aead->seal_batch(jobs);
        ASSERT_EQ(sealed, expected);
        aead->open_batch(jobs);
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            ASSERT_TRUE(jobs[i].authentic) << i;
            ASSERT_TRUE(std::equal(jobs[i].text().begin(), jobs[i].text().end(), batch.messages[i].begin())) << i;
        }
    }

    Generator random{7};
    std::unique_ptr<Aead> reference = make_aead(AeadBackend::openssl);
};

TEST_P(AeadBatch, EveryLengthEqualWithinTheBatch) {
    for (std::size_t length = 0; length <= kLongest; ++length) {
        compare(Batch(random, std::vector<std::size_t>(1 + length % 17, length), 1, false));
        if (HasFatalFailure()) FAIL() << "length " << length;
    }
}

TEST_P(AeadBatch, EverySizeOfBatchWithMixedLengthsAndKeys) {
    for (std::size_t size = 1; size <= 64; ++size) {
        std::vector<std::size_t> lengths(size);
        for (auto& length : lengths) length = random() % (kLongest + 1);
        compare(Batch(random, lengths, 1 + size % 5, size % 2 == 0));
        if (HasFatalFailure()) FAIL() << "size " << size;
    }
}

TEST_P(AeadBatch, EveryLengthBesideOthersOfOtherKeysInBatchesOfEverySize) {
    std::vector<std::size_t> lengths(kLongest + 1);
    std::iota(lengths.begin(), lengths.end(), std::size_t{0});
    std::size_t size = 64;
    for (int round = 0; round < 3; ++round) {
        std::shuffle(lengths.begin(), lengths.end(), random);
        for (auto from = lengths.begin(); from != lengths.end(); size = size % 64 + 1) {
            const auto to = from + std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(size), lengths.end() - from);
            compare(Batch(random, std::vector<std::size_t>(from, to), 1 + random() % size, random() % 2 == 0));
            if (HasFatalFailure()) FAIL() << "size " << size << ", round " << round;
            from = to;
        }
    }
}

TEST_P(AeadBatch, LongestMessage) {
    compare(Batch(random, {kMaxAeadMessage - kAeadTagSize, 0, 1}, 2, true));
}

TEST_P(AeadBatch, NothingToDo) {
    aead->seal_batch({});
    aead->open_batch({});
}

TEST_P(AeadBatch, EveryKindOfTamperingIsSeenAndHurtsNoOther) {
    const std::vector<std::size_t> lengths = {0, 1, 16, 64, 65, 300, 1440, 1500, 592};
    for (std::size_t round = 0; round < 24 * lengths.size(); ++round) {
        const Batch batch(random, lengths, 2, true);
        auto messages = batch.messages;
        auto jobs = batch.over(messages);
        aead->seal_batch(jobs);
        const auto victim = round % lengths.size();
        auto& job = jobs[victim];
        AeadKey other = job.key->clone();
        const auto bit = static_cast<std::uint8_t>(1U << (random() % 8));
        switch (round / lengths.size() % 8) {
            case 0: job.tag()[random() % kAeadTagSize] ^= bit; break;
            case 1: job.message[random() % job.message.size()] ^= bit; break;
            case 2:
                job.message = job.message.first(job.message.size() - std::min<std::size_t>(lengths[victim], 1));
                if (lengths[victim] == 0) job.tag()[0] ^= bit;
                break;
            case 3: job.counter ^= std::uint64_t{1} << (random() % 64); break;
            case 4: job.prefix ^= std::uint32_t{1} << (random() % 32); break;
            case 5: other.expose_mutable()[random() % 32] ^= bit, job.key = &other; break;
            case 6:
                job.associated = std::span(batch.associated[victim]).first(job.associated.size() / 2);
                if (batch.associated[victim].empty()) job.associated = other.expose();
                break;
            default: job.message.back() ^= bit; break;
        }
        aead->open_batch(jobs);
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            ASSERT_EQ(jobs[i].authentic, i != victim) << "round " << round << ", packet " << i;
        }
        EXPECT_TRUE(std::all_of(job.message.begin(), job.message.end(), [](auto byte) { return byte == 0; }));
    }
}

/// Every bit of a small packet, one after the other.
TEST_P(AeadBatch, EveryBitOfMessageAndTagCounts) {
    const Batch batch(random, {33}, 1, false);
    auto messages = batch.messages;
    auto jobs = batch.over(messages);
    aead->seal_batch(jobs);
    const auto sealed = messages[0];
    for (std::size_t bit = 0; bit < 8 * sealed.size(); ++bit) {
        messages[0] = sealed;
        messages[0][bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        jobs[0].message = messages[0];
        aead->open_batch(jobs);
        ASSERT_FALSE(jobs[0].authentic) << "bit " << bit;
    }
    messages[0] = sealed;
    jobs[0].message = messages[0];
    aead->open_batch(jobs);
    EXPECT_TRUE(jobs[0].authentic);
}

TEST_P(AeadBatch, ImpossibleLengthsAreNotAuthenticAndNotTouched) {
    const Batch batch(random, std::vector<std::size_t>(20, 100), 1, false);
    auto messages = batch.messages;
    auto jobs = batch.over(messages);
    aead->seal_batch(jobs);
    Bytes huge(kMaxAeadMessage + 1, 7);
    jobs[3].message = {};
    jobs[4].message = jobs[4].message.first(kAeadTagSize - 1);
    jobs[5].message = huge;
    const auto before = messages[4];
    aead->open_batch(jobs);
    for (std::size_t i = 0; i < jobs.size(); ++i) EXPECT_EQ(jobs[i].authentic, i < 3 || i > 5) << i;
    EXPECT_EQ(messages[4], before);
    EXPECT_EQ(huge, Bytes(kMaxAeadMessage + 1, 7));
}

TEST_P(AeadBatch, NoByteOutsideTheMessageIsTouched) {
    AeadKey key;
    test::fill(random, key.expose_mutable());
    for (const auto side : {GuardedBuffer::Side::before, GuardedBuffer::Side::behind}) {
        for (std::size_t length = 0; length <= 300; ++length) {
            const GuardedBuffer message(length + kAeadTagSize, side);
            const GuardedBuffer associated(length % 70, side);
            test::fill(random, message.bytes());
            const Bytes before(message.bytes().begin(), message.bytes().end());
            AeadJob job{&key, length, message.bytes(), associated.bytes()};
            aead->seal_batch({&job, 1});
            aead->open_batch({&job, 1});
            ASSERT_TRUE(job.authentic) << length;
            ASSERT_TRUE(std::equal(job.text().begin(), job.text().end(), before.begin())) << length;
        }
    }
}

/// Full lanes with no common length: each message ends at the end of the readable memory.
TEST_P(AeadBatch, NoByteOutsideAnyOfSixteenMessagesIsTouched) {
    AeadKey key;
    test::fill(random, key.expose_mutable());
    for (std::size_t round = 0; round < 40; ++round) {
        std::vector<std::unique_ptr<GuardedBuffer>> buffers;
        std::vector<AeadJob> jobs;
        for (std::size_t i = 0; i < 16; ++i) {
            const auto side = i % 2 == 0 ? GuardedBuffer::Side::before : GuardedBuffer::Side::behind;
            buffers.push_back(std::make_unique<GuardedBuffer>(random() % 300 + kAeadTagSize, side));
            jobs.push_back({&key, i, buffers.back()->bytes()});
        }
        aead->seal_batch(jobs);
        aead->open_batch(jobs);
        for (const auto& job : jobs) ASSERT_TRUE(job.authentic);
    }
}

INSTANTIATE_TEST_SUITE_P(Aead, AeadBatch,
                         testing::Values(AeadBackend::openssl, AeadBackend::ipsec_mb, AeadBackend::avx512),
                         test::backend_name);

/// OpenSSL with a fault.
class FaultyAead final : public Aead {
public:
    enum class Fault { none, ciphertext, tag, accepts_anything, accepts_nothing };
    explicit FaultyAead(Fault fault) : fault_(fault) {}
    [[nodiscard]] std::string_view name() const override { return "faulty"; }

private:
    void seal_group(Group jobs) override {
        for (auto* job : jobs) sound_->seal_batch({job, 1});
        if (fault_ == Fault::ciphertext && !jobs.back()->text().empty()) jobs.back()->text().back() ^= 1;
        if (fault_ == Fault::tag) jobs.back()->tag()[15] ^= 0x80;
    }
    void open_group(Group jobs) override {
        for (auto* job : jobs) sound_->open_batch({job, 1});
        for (auto* job : jobs)
            job->authentic = fault_ != Fault::accepts_nothing && (job->authentic || fault_ == Fault::accepts_anything);
    }

    Fault fault_;
    std::unique_ptr<Aead> sound_ = make_aead(AeadBackend::openssl);
};

std::string chosen_with(FaultyAead::Fault fault) {
    std::vector<std::unique_ptr<Aead>> candidates;
    candidates.push_back(std::make_unique<FaultyAead>(fault));
    return std::string(first_sound(std::move(candidates), make_aead(AeadBackend::openssl))->name());
}

TEST(AeadChoice, TakesTheFirstThatIsSound) {
    EXPECT_EQ(chosen_with(FaultyAead::Fault::none), "faulty");
}

TEST(AeadChoice, LeavesOutWhatDiffersAndSaysSo) {
    using Fault = FaultyAead::Fault;
    for (const auto fault : {Fault::ciphertext, Fault::tag, Fault::accepts_anything, Fault::accepts_nothing}) {
        testing::internal::CaptureStderr();
        EXPECT_EQ(chosen_with(fault), "openssl");
        EXPECT_NE(testing::internal::GetCapturedStderr().find("faulty does not agree with openssl"), std::string::npos);
    }
}

TEST(AeadChoice, EveryBackendOfThisMachineIsSound) {
    const auto reference = make_aead(AeadBackend::openssl);
    for (const auto backend : {AeadBackend::openssl, AeadBackend::ipsec_mb, AeadBackend::avx512}) {
        const auto aead = make_aead(backend);
        if (aead) {
            EXPECT_TRUE(agrees(*aead, *reference)) << aead->name();
        }
    }
}

TEST(AeadChoice, TheChosenOneSealsAndOpensBatchesOfAnySize) {
    Generator random{3};
    const auto aead = make_aead();
    const auto reference = make_aead(AeadBackend::openssl);
    for (std::size_t size = 1; size <= 40; ++size) {
        const Batch batch(random, std::vector<std::size_t>(size, 200), 2, false);
        auto expected = batch.messages;
        auto expected_jobs = batch.over(expected);
        reference->seal_batch(expected_jobs);
        auto sealed = batch.messages;
        auto jobs = batch.over(sealed);
        aead->seal_batch(jobs);
        ASSERT_EQ(sealed, expected);
        aead->open_batch(jobs);
        for (const auto& job : jobs) ASSERT_TRUE(job.authentic);
    }
}

}  // namespace
}  // namespace myst::wireguard
