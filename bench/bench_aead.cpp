// Processor time per packet of every ChaCha20-Poly1305 back-end, on one core: `bench_aead RESULT.json`.
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>

#include <boost/json.hpp>

#include <fmt/format.h>

#include "measure.hpp"
#include "myst/base/bytes.hpp"
#include "myst/base/check.hpp"
#include "myst/wireguard/aead/aead.hpp"
#include "results_file.hpp"

namespace {

using namespace myst;
using namespace myst::bench;
using wireguard::Aead;
using wireguard::AeadBackend;
using wireguard::AeadJob;

/// 192 packets of 1,440 bytes do not fit the first-level cache, as packets that have just come in do not.
constexpr std::size_t kPackets = 192;
constexpr std::size_t kRounds = 301;
constexpr std::array<std::size_t, 3> kLengths = {64, 592, 1440};
constexpr std::array<std::size_t, 6> kBatches = {1, 4, 6, 8, 16, 64};

/// Median of the processor time of `work` over all rounds, each after a `prepare` that does not count.
template <class Prepare, class Work>
std::uint64_t median_ns(Prepare prepare, Work work) {
    std::vector<std::uint64_t> times;
    for (std::size_t round = 0; round < kRounds; ++round) {
        prepare();
        const auto start = processor_time();
        work();
        times.push_back(static_cast<std::uint64_t>((processor_time() - start).count()));
    }
    return median(std::move(times));
}

class Measurement {
public:
    Measurement(Aead& aead, std::size_t length, std::size_t batch)
        : aead_(aead), length_(length), batch_(batch), memory_(kPackets * (length + wireguard::kAeadTagSize)) {
        const std::span all(memory_);
        const auto stride = length + wireguard::kAeadTagSize;
        for (std::size_t i = 0; i < kPackets; ++i) jobs_.push_back({&key_, i, all.subspan(i * stride, stride)});
    }

    [[nodiscard]] double seal_ns() {
        return per_packet(median_ns([] {}, [this] { seal(); }));
    }
    [[nodiscard]] double open_ns() {
        const auto open = [this] {
            for (std::size_t i = 0; i < kPackets; i += batch_) aead_.open_batch(std::span(jobs_).subspan(i, batch_));
        };
        const auto time = median_ns([this] { seal(); }, open);
        for (const auto& job : jobs_) CHECK(job.authentic);
        return per_packet(time);
    }
    [[nodiscard]] double gigabytes_per_second(double ns) const { return static_cast<double>(length_) / ns; }

private:
    void seal() {
        for (std::size_t i = 0; i < kPackets; i += batch_) aead_.seal_batch(std::span(jobs_).subspan(i, batch_));
    }
    /// Without what looking at the clock costs.
    static double per_packet(std::uint64_t time) {
        static const auto clock = median_ns([] {}, [] {});
        return static_cast<double>(time - std::min(time, clock)) / static_cast<double>(kPackets);
    }

    Aead& aead_;
    std::size_t length_;
    std::size_t batch_;
    Bytes memory_;
    wireguard::AeadKey key_;
    std::vector<AeadJob> jobs_;
};

boost::json::object measure_backend(const std::string& key, Aead& aead) {
    boost::json::object figures;
    for (const auto batch : kBatches) {
        for (const auto length : kLengths) {
            Measurement measurement(aead, length, batch);
            const auto seal = measurement.seal_ns();
            const auto open = measurement.open_ns();
            std::cout << fmt::format("{:<12}{:>8}{:>8}{:>12.1f}{:>10.2f}{:>12.1f}{:>10.2f}\n", key, batch, length, seal,
                                     measurement.gigabytes_per_second(seal), open,
                                     measurement.gigabytes_per_second(open));
            figures[fmt::format("seal_{}_bytes_batch_{}_ns", length, batch)] = seal;
            figures[fmt::format("open_{}_bytes_batch_{}_ns", length, batch)] = open;
        }
    }
    return figures;
}

int run(const std::filesystem::path& result) {
    pin_to_one_processor();
    std::cout << fmt::format("{:<12}{:>8}{:>8}{:>12}{:>10}{:>12}{:>10}\n", "back-end", "batch", "bytes", "seal ns",
                             "GB/s", "open ns", "GB/s");
    const auto chosen = wireguard::make_aead();
    boost::json::object figures{{"chosen", std::string(chosen->name())}};
    constexpr std::array backends = {std::pair("openssl", AeadBackend::openssl),
                                     std::pair("ipsec_mb", AeadBackend::ipsec_mb),
                                     std::pair("avx512", AeadBackend::avx512)};
    for (const auto& [name, backend] : backends) {
        const auto aead = wireguard::make_aead(backend);
        if (aead) figures[name] = measure_backend(name, *aead);
    }
    figures["default"] = measure_backend("default", *chosen);
    std::cout << fmt::format("default: {}; processor time, medians of {}\n", chosen->name(), kRounds);
    save_figures(result, figures);
    return EXIT_SUCCESS;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::cerr << "usage: bench_aead RESULT.json\n";
        return EXIT_FAILURE;
    }
    return run(argv[1]);
}
