#include "myst/sys/startup_code.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

namespace myst::sys {
namespace {

/// Of this process, in KiB: what is resident of files.
std::size_t resident_of_files() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        std::size_t kib = 0;
        if (word == "RssFile:" && status >> kib) return kib;
    }
    return 0;
}

int written_data = 1;

TEST(StartupCode, IsGivenBackAndComesAgain) {
    written_data = 2;
    const std::string heap(100'000, 'x');
    const auto before = resident_of_files();
    release_startup_code();
    const auto after = resident_of_files();
    EXPECT_GT(before, 0U);
    EXPECT_LT(after, before / 2);
    // Whatever runs from here was dropped and is there again.
    EXPECT_EQ(written_data, 2);
    EXPECT_EQ(heap, std::string(100'000, 'x'));
}

}  // namespace
}  // namespace myst::sys
