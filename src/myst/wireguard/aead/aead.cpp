#include "myst/wireguard/aead/aead.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "myst/base/check.hpp"

namespace myst::wireguard {

namespace {

bool possible(const AeadJob& job) {
    return job.message.size() >= kAeadTagSize && job.message.size() <= kMaxAeadMessage;
}

}  // namespace

void Aead::seal_batch(std::span<AeadJob> jobs) {
    std::array<AeadJob*, kGroup> group{};
    for (auto groups = (jobs.size() + kGroup - 1) / kGroup; groups > 0; --groups) {
        // Of equal size, so that no group is a small rest.
        const auto count = (jobs.size() + groups - 1) / groups;
        for (std::size_t i = 0; i < count; ++i) {
            CHECK(jobs[i].key != nullptr && possible(jobs[i]));
            group[i] = &jobs[i];
        }
        seal_group(Group(group).first(count));
        jobs = jobs.subspan(count);
    }
    forget_keys();
}

void Aead::open_batch(std::span<AeadJob> jobs) {
    std::array<AeadJob*, kGroup> group{};
    const auto open = [&](std::size_t count) {
        open_group(Group(group).first(count));
        for (const auto* job : Group(group).first(count)) {
            if (!job->authentic) std::memset(job->message.data(), 0, job->message.size());
        }
    };
    auto left = static_cast<std::size_t>(std::count_if(jobs.begin(), jobs.end(), possible));
    const auto share = [&] { return left / std::max<std::size_t>((left + kGroup - 1) / kGroup, 1); };
    std::size_t count = 0;
    auto wanted = share();
    for (auto& job : jobs) {
        job.authentic = false;
        if (!possible(job)) continue;
        CHECK(job.key != nullptr);
        group[count++] = &job;
        if (count < wanted) continue;
        open(count);
        left -= count;
        count = 0;
        wanted = share();
    }
    forget_keys();
}

}  // namespace myst::wireguard
