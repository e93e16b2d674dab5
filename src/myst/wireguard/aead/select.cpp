// Which back-end works: self-test and choice.
#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "myst/base/log.hpp"
#include "myst/wireguard/aead/backends.hpp"
#include "myst/wireguard/aead/sized_aead.hpp"

namespace myst::wireguard {

namespace {

/// From how many packets on side by side beats one after the other (`make bench-aead`).
constexpr std::size_t kManyFrom = 5;

/// xorshift64*: the self-test wants variety, not secrecy, and the same every time.
class Numbers {
public:
    std::uint64_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545f4914f6cdd1dULL;
    }
    void fill(std::span<std::uint8_t> out) {
        for (auto& byte : out) byte = static_cast<std::uint8_t>(next() >> 56);
    }

private:
    std::uint64_t state_ = 0x9e3779b97f4a7c15ULL;
};

/// Packets of many lengths under several keys, some with associated data.
class Samples {
public:
    using Messages = std::vector<Bytes>;

    explicit Samples(std::size_t count) : messages_(count), counters_(count) {
        Numbers numbers;
        for (auto& key : keys_) numbers.fill(key.expose_mutable());
        for (auto& counter : counters_) counter = numbers.next();
        numbers.fill(associated_);
        for (auto& message : messages_) {
            message.resize(kAeadTagSize + numbers.next() % 1500);
            numbers.fill(message);
        }
    }

    [[nodiscard]] const Messages& messages() const { return messages_; }
    [[nodiscard]] std::vector<AeadJob> jobs(Messages& messages) const {
        std::vector<AeadJob> jobs(messages.size());
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            jobs[i] = {&keys_[i % keys_.size()], counters_[i], messages[i]};
            if (i % 8 == 7) jobs[i].associated = BytesView(associated_).first(i % associated_.size());
        }
        return jobs;
    }

private:
    std::array<AeadKey, 3> keys_;
    Messages messages_;
    std::vector<std::uint64_t> counters_;
    std::array<std::uint8_t, 41> associated_{};
};

bool agrees(Aead& candidate, Aead& reference, std::size_t count) {
    const Samples samples(count);
    auto expected = samples.messages();
    auto expected_jobs = samples.jobs(expected);
    reference.seal_batch(expected_jobs);
    auto messages = samples.messages();
    auto jobs = samples.jobs(messages);
    candidate.seal_batch(jobs);
    if (messages != expected) return false;

    const auto tampered = count / 2;
    messages[tampered][messages[tampered].size() / 2] ^= 1;
    candidate.open_batch(jobs);
    for (std::size_t i = 0; i < count; ++i) {
        if (jobs[i].authentic != (i != tampered)) return false;
        const auto text = jobs[i].text();
        if (jobs[i].authentic && !std::equal(text.begin(), text.end(), samples.messages()[i].begin())) return false;
    }
    return true;
}

/// The example of RFC 8439, section 2.8.2; its tag depends on all of the text.
bool knows_the_example(Aead& aead) {
    constexpr std::string_view kText =
        "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would "
        "be "
        "it.";
    constexpr std::array<std::uint8_t, 12> kAssociated = {0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1,
                                                          0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7};
    constexpr std::array<std::uint8_t, kAeadTagSize> kTag = {0x1a, 0xe1, 0x0b, 0x59, 0x4f, 0x09, 0xe2, 0x6a,
                                                             0x7e, 0x90, 0x2e, 0xcb, 0xd0, 0x60, 0x06, 0x91};
    AeadKey key;
    for (std::size_t i = 0; i < 32; ++i) key.expose_mutable()[i] = static_cast<std::uint8_t>(0x80 + i);
    Bytes message(kText.begin(), kText.end());
    message.resize(message.size() + kAeadTagSize);
    AeadJob job{&key, 0x4746454443424140ULL, message, kAssociated, 7};
    aead.seal_batch({&job, 1});
    return std::equal(kTag.begin(), kTag.end(), job.tag());
}

}  // namespace

std::unique_ptr<Aead> make_aead(AeadBackend backend) {
    switch (backend) {
        case AeadBackend::ipsec_mb: return detail::make_ipsec_mb_aead();
        case AeadBackend::avx512: return detail::make_avx512_aead();
        case AeadBackend::openssl: break;
    }
    return detail::make_openssl_aead();
}

bool agrees(Aead& candidate, Aead& reference) {
    return agrees(candidate, reference, 64) && agrees(candidate, reference, 6) && agrees(candidate, reference, 1);
}

std::unique_ptr<Aead> first_sound(std::vector<std::unique_ptr<Aead>> candidates, std::unique_ptr<Aead> reference) {
    for (auto& candidate : candidates) {
        if (agrees(*candidate, *reference)) return std::move(candidate);
        log::warn("encryption: {} does not agree with {} and is not used", candidate->name(), reference->name());
    }
    return reference;
}

std::unique_ptr<Aead> make_aead() {
    auto reference = make_aead(AeadBackend::openssl);
    if (!knows_the_example(*reference)) throw std::runtime_error("OpenSSL's ChaCha20-Poly1305 gives a wrong result");
    std::vector<std::unique_ptr<Aead>> candidates;
    auto many = make_aead(AeadBackend::avx512);
    auto few = make_aead(AeadBackend::ipsec_mb);
    if (many && few) {
        candidates.push_back(std::make_unique<SizedAead>(std::move(few), std::move(many), kManyFrom));
        many = make_aead(AeadBackend::avx512);
        few = make_aead(AeadBackend::ipsec_mb);
    }
    if (many) candidates.push_back(std::move(many));
    if (few) candidates.push_back(std::move(few));
    return first_sound(std::move(candidates), std::move(reference));
}

}  // namespace myst::wireguard
