// The back-end of docs/dataplane.md that works on 16 packets together.
#include <cstring>

#include "myst/wireguard/aead/avx512_kernel.hpp"
#include "myst/wireguard/aead/backends.hpp"

namespace myst::wireguard::detail {

#ifdef MYST_HAS_AVX512_KERNEL

namespace {

class Avx512Aead final : public Aead {
public:
    Avx512Aead() = default;
    ~Avx512Aead() override { forget_keys(); }

    [[nodiscard]] std::string_view name() const override { return "avx512"; }

private:
    static_assert(kGroup == avx512::kPackets);

    void seal_group(Group jobs) override {
        load(jobs);
        avx512::derive_one_time_keys(group_);
        avx512::apply_key_stream(group_, kEveryPacket);
        avx512::compute_tags(group_);
        for (std::size_t i = 0; i < jobs.size(); ++i) std::memcpy(jobs[i]->tag(), group_.tags[i], kAeadTagSize);
    }

    void open_group(Group jobs) override {
        load(jobs);
        avx512::derive_one_time_keys(group_);
        avx512::compute_tags(group_);
        std::uint32_t sound = 0;
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            jobs[i]->authentic = equal_tags(group_.tags[i], jobs[i]->tag());
            if (jobs[i]->authentic) sound |= std::uint32_t{1} << i;
        }
        avx512::apply_key_stream(group_, sound);
    }

    void forget_keys() override {
        explicit_bzero(&group_, sizeof group_);
        avx512::wipe_stack();
    }

    void load(Group jobs) {
        group_.count = jobs.size();
        for (std::size_t i = 0; i < jobs.size(); ++i) {
            const auto& job = *jobs[i];
            std::array<std::uint32_t, 8> words{};
            std::memcpy(words.data(), job.key->expose().data(), sizeof words);
            for (std::size_t word = 0; word < words.size(); ++word) group_.columns[word][i] = words[word];
            group_.columns[8][i] = job.prefix;
            group_.columns[9][i] = static_cast<std::uint32_t>(job.counter);
            group_.columns[10][i] = static_cast<std::uint32_t>(job.counter >> 32);
            group_.texts[i] = job.message.data();
            group_.sizes[i] = job.text().size();
            group_.associated[i] = {job.associated.data(), job.associated.size()};
        }
    }

    /// In constant time: only the result is looked at.
    static bool equal_tags(const std::uint64_t (&computed)[2], const std::uint8_t* received) {
        std::array<std::uint64_t, 2> words{};
        std::memcpy(words.data(), received, sizeof words);
        return ((words[0] ^ computed[0]) | (words[1] ^ computed[1])) == 0;
    }

    static constexpr std::uint32_t kEveryPacket = ~std::uint32_t{0};

    avx512::PacketGroup group_{};
};

bool processor_can() {
    // Asks for the registers' support by the system, too.
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512ifma");
}

}  // namespace

std::unique_ptr<Aead> make_avx512_aead() {
    return processor_can() ? std::make_unique<Avx512Aead>() : nullptr;
}

#else

std::unique_ptr<Aead> make_avx512_aead() {
    return nullptr;
}

#endif

}  // namespace myst::wireguard::detail
