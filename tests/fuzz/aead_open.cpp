// A batch of received messages: for each, flags, counter, size and bytes. Flags: key; seal it first; then flip a bit.
// Every back-end must come to the same result.
#include <memory>
#include <vector>

#include "fuzz/input.hpp"
#include "fuzz/target.hpp"
#include "myst/base/check.hpp"
#include "myst/wireguard/aead/aead.hpp"

namespace myst::fuzz {
namespace {

using namespace wireguard;

constexpr std::size_t kMaxJobs = 40;
constexpr std::size_t kMaxSize = 2000;
constexpr std::uint8_t kSecondKey = 1;
constexpr std::uint8_t kSeal = 2;
constexpr std::uint8_t kFlip = 4;
constexpr std::uint8_t kAssociated = 8;

std::vector<std::unique_ptr<Aead>> every_backend() {
    std::vector<std::unique_ptr<Aead>> backends;
    for (const auto backend : {AeadBackend::openssl, AeadBackend::ipsec_mb, AeadBackend::avx512}) {
        if (auto aead = make_aead(backend)) backends.push_back(std::move(aead));
    }
    return backends;
}

struct Messages {
    std::array<AeadKey, 2> keys;
    std::vector<Bytes> bytes;
    std::vector<AeadJob> jobs;

    /// A job without its message, which moves while more are added.
    void add(Input& reader, Aead& sealer) {
        const auto flags = reader.byte();
        AeadJob job{&keys[(flags & kSecondKey) != 0 ? 1 : 0], reader.word()};
        if ((flags & kAssociated) != 0) job.associated = keys[1].expose();
        const auto content = reader.take(reader.word() % kMaxSize);
        Bytes message(content.begin(), content.end());
        if ((flags & kSeal) != 0) {
            message.resize(message.size() + kAeadTagSize);
            job.message = message;
            sealer.seal_batch({&job, 1});
            if ((flags & kFlip) != 0) message[job.counter % message.size()] ^= 1;
        }
        bytes.push_back(std::move(message));
        jobs.push_back(job);
    }
};

void run(BytesView input) {
    static const auto backends = every_backend();
    Input reader(input.data(), input.size());
    Messages messages;
    messages.keys[1].expose_mutable()[31] = 1;
    while (!reader.empty() && messages.jobs.size() < kMaxJobs) messages.add(reader, *backends.front());

    std::vector<Bytes> first_bytes;
    std::vector<bool> first_results;
    for (const auto& backend : backends) {
        auto bytes = messages.bytes;
        auto jobs = messages.jobs;
        for (std::size_t i = 0; i < jobs.size(); ++i) jobs[i].message = bytes[i];
        backend->open_batch(jobs);
        std::vector<bool> results;
        for (const auto& job : jobs) results.push_back(job.authentic);
        if (backend == backends.front()) {
            first_bytes = bytes;
            first_results = results;
        }
        // The tag of an authentic message is not part of its text.
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            const auto size = bytes[i].size() - (results[i] ? kAeadTagSize : 0);
            CHECK(std::equal(bytes[i].begin(), bytes[i].begin() + static_cast<std::ptrdiff_t>(size),
                             first_bytes[i].begin()));
        }
        CHECK(results == first_results);
    }
}

}  // namespace
}  // namespace myst::fuzz

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    myst::fuzz::run({data, size});
    return 0;
}
