// Runs a fuzz target without a fuzzer: over its corpus, and over damaged copies of it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz/target.hpp"
#include "myst/wireguard/test_support/fixtures.hpp"

namespace {

using myst::Bytes;
using myst::wireguard::test::SeededRng;

std::vector<Bytes> corpus() {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(MYST_CORPUS_DIR)) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    std::vector<Bytes> inputs;
    for (const auto& path : paths) {
        std::ifstream file(path, std::ios::binary);
        inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
    return inputs;
}

Bytes damaged(Bytes input, const std::vector<Bytes>& all, SeededRng& rng) {
    for (auto left = 1 + rng.below(8); left > 0; --left) {
        const auto at = static_cast<std::ptrdiff_t>(rng.below(input.size() + 1));
        switch (rng.below(4)) {
            case 0:
                if (!input.empty()) input[rng.below(input.size())] ^= static_cast<std::uint8_t>(1U << rng.below(8));
                break;
            case 1: input.insert(input.begin() + at, static_cast<std::uint8_t>(rng.next())); break;
            case 2: input.resize(static_cast<std::size_t>(at)); break;
            default: {
                const auto& other = all[rng.below(all.size())];
                const auto from = static_cast<std::ptrdiff_t>(rng.below(other.size() + 1));
                input.insert(input.begin() + at, other.begin() + from, other.end());
            }
        }
        if (input.size() > 8192) input.resize(8192);
    }
    return input;
}

TEST(Corpus, RunsThrough) {
    const auto inputs = corpus();
    ASSERT_FALSE(inputs.empty()) << MYST_CORPUS_DIR;
    for (const auto& input : inputs) EXPECT_EQ(LLVMFuzzerTestOneInput(input.data(), input.size()), 0);
}

TEST(Corpus, DamagedCopiesRunThrough) {
    const auto inputs = corpus();
    const char* wanted = std::getenv("MYST_FUZZ_RUNS");
    const auto runs = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : MYST_DAMAGED_COPIES;
    SeededRng rng(1);
    for (std::uint64_t i = 0; i < runs; ++i) {
        const auto input = damaged(inputs[rng.below(inputs.size())], inputs, rng);
        EXPECT_EQ(LLVMFuzzerTestOneInput(input.data(), input.size()), 0);
    }
}

}  // namespace
