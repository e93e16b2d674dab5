// Consumer, provider and chain in virtual time, under everything that can go wrong (CONTRIBUTING.md).
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>

#include "simulation.hpp"

namespace myst::sim {
namespace {

/// A seed of its own, and the same in every run of the suite.
constexpr std::uint64_t kFirstSeed = 1;
constexpr std::uint64_t kSeeds = 1'000;

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? parse_u64(text).value_or(otherwise) : otherwise;
}

/// Seeds that once failed.
std::vector<std::uint64_t> corpus() {
    std::ifstream file(std::string(MYST_SOURCE_DIR) + "/tests/simulation/corpus.txt");
    std::vector<std::uint64_t> seeds;
    for (std::string line; std::getline(file, line);) {
        if (const auto seed = parse_u64(line.substr(0, line.find(' ')))) seeds.push_back(*seed);
    }
    return seeds;
}

::testing::AssertionResult holds(std::uint64_t seed, Tally& tally, milliseconds& longest, bool tell = false) {
    const auto outcome = simulate(seed, tally, tell);
    longest = std::max(longest, outcome.settled_in);
    if (outcome.violation.empty()) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "seed " << seed << ": " << outcome.violation
                                         << "\nalone: MYST_SIMULATION_SEED=" << seed
                                         << " myst_simulation_test --gtest_filter='Simulation.*Seeds*'"
                                         << "\nkeep it: add a line to tests/simulation/corpus.txt";
}

TEST(Simulation, SeedsThatOnceFailedHold) {
    Tally tally;
    milliseconds longest{};
    const auto seeds = corpus();
    ASSERT_FALSE(seeds.empty()) << "the corpus cannot be read";
    for (const auto seed : seeds) EXPECT_TRUE(holds(seed, tally, longest));
}

/// Nobody loses money it has proof of, nobody is paid more than was signed, and everything settles.
TEST(Simulation, NoSeedBreaksAPromise) {
    Tally tally;
    milliseconds longest{};
    const auto only = number_from("MYST_SIMULATION_SEED", 0);
    const auto first = only != 0 ? only : kFirstSeed;
    const auto count = only != 0 ? 1 : number_from("MYST_SIMULATION_SEEDS", kSeeds);
    for (auto seed = first; seed < first + count; ++seed) ASSERT_TRUE(holds(seed, tally, longest, only != 0));
    std::cout << count << " seeds: " << tally << "; settled at the latest after " << longest.count() / 1000 << " s\n";
    if (count < kSeeds) return;
    for (const auto& [what, happened, least] : tally.entries()) {
        EXPECT_GE(happened, count * least / 1000) << "the faults are not what they should be: " << what;
    }
}

TEST(Simulation, TheSameSeedIsTheSameRun) {
    Tally tally;
    std::uint64_t before = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        const auto trace = simulate(seed, tally).trace;
        ASSERT_EQ(simulate(seed, tally).trace, trace) << "seed " << seed;
        ASSERT_NE(trace, std::exchange(before, trace)) << "seed " << seed;
    }
}

}  // namespace
}  // namespace myst::sim
