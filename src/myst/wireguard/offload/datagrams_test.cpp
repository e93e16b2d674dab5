#include "myst/wireguard/offload/datagrams.hpp"

#include <numeric>
#include <random>

#include <gtest/gtest.h>

namespace myst::wireguard {
namespace {

std::vector<std::size_t> sizes_of(const Datagrams& datagrams) {
    std::vector<std::size_t> sizes;
    for (std::size_t i = 0; i < datagrams.size(); ++i) sizes.push_back(datagrams[i].size());
    return sizes;
}

TEST(SplitGro, EqualSegmentsAndAShorterLast) {
    Bytes bytes(250);
    std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
    const auto datagrams = split_gro({bytes, 100});
    ASSERT_TRUE(datagrams);
    EXPECT_EQ(sizes_of(*datagrams), (std::vector<std::size_t>{100, 100, 50}));
    EXPECT_EQ((*datagrams)[2].data(), bytes.data() + 200);
}

TEST(SplitGro, WithoutAControlMessageItIsOneDatagram) {
    Bytes bytes(250);
    EXPECT_EQ(sizes_of(split_gro({bytes, std::nullopt}).value()), std::vector<std::size_t>{250});
}

TEST(SplitGro, ASegmentAsLongAsTheMessageOrLonger) {
    Bytes bytes(250);
    for (const int size : {250, 251, 1 << 30}) {
        EXPECT_EQ(sizes_of(split_gro({bytes, size}).value()), std::vector<std::size_t>{250});
    }
}

TEST(SplitGro, AnEmptyMessageIsOneEmptyDatagram) {
    EXPECT_EQ(sizes_of(split_gro({{}, std::nullopt}).value()), std::vector<std::size_t>{0});
    EXPECT_EQ(sizes_of(split_gro({{}, 100}).value()), std::vector<std::size_t>{0});
}

TEST(SplitGro, RefusesWhatNoKernelSends) {
    Bytes bytes(65'535);
    for (const int size : {0, -1, 1, 511}) {
        const auto datagrams = split_gro({bytes, size});
        ASSERT_FALSE(datagrams) << size;
        EXPECT_EQ(datagrams.error().code, ErrorCode::invalid_data);
    }
    EXPECT_EQ(split_gro({bytes, 512}).value().size(), kMaxGroDatagrams);
}

std::size_t run(const std::vector<std::size_t>& sizes, const GsoLimits& limits = {}) {
    return gso_run(sizes, limits);
}

TEST(GsoRun, EqualSizesAndOneShorter) {
    EXPECT_EQ(run({}), 0U);
    EXPECT_EQ(run({100}), 1U);
    EXPECT_EQ(run({100, 100, 100}), 3U);
    EXPECT_EQ(run({100, 100, 50}), 3U);
    EXPECT_EQ(run({100, 100, 50, 50}), 3U);
    EXPECT_EQ(run({100, 100, 101}), 2U);
    EXPECT_EQ(run({50, 100}), 1U);
}

TEST(GsoRun, EmptyDatagramsGoAlone) {
    EXPECT_EQ(run({0, 0}), 1U);
    EXPECT_EQ(run({100, 0}), 1U);
}

TEST(GsoRun, Limits) {
    EXPECT_EQ(run(std::vector<std::size_t>(100, 100)), 64U);
    EXPECT_EQ(run(std::vector<std::size_t>(100, 1452)), 45U);       // 65,340 bytes
    EXPECT_EQ(run(std::vector<std::size_t>(100, 65'507 / 7)), 7U);  // 9,358 each, 65,506 bytes
    EXPECT_EQ(run(std::vector<std::size_t>(100, 65'507 / 7), {64, kMaxUdp6}), 6U);
    EXPECT_EQ(run({65'507}), 1U);
    EXPECT_EQ(run(std::vector<std::size_t>(9, 10), {4, 65'507}), 4U);
}

/// Whatever the sizes: every run keeps to the rules, and none stops although the next datagram would have fitted.
TEST(GsoRun, RunsAreValidAndAsLongAsTheyCanBe) {
    std::mt19937_64 random(5);
    for (int round = 0; round < 2000; ++round) {
        std::vector<std::size_t> sizes(1 + random() % 90);
        for (auto& size : sizes) size = random() % 5 == 0 ? random() % 1500 : 1452;
        const auto count = run(sizes);
        ASSERT_GE(count, 1U);
        ASSERT_LE(count, std::min<std::size_t>(sizes.size(), 64));
        const auto end = sizes.begin() + static_cast<std::ptrdiff_t>(count);
        const auto bytes = std::accumulate(sizes.begin(), end, std::size_t{0});
        ASSERT_LE(bytes, 65'507U);
        for (std::size_t i = 0; i + 1 < count; ++i) ASSERT_EQ(sizes[i], sizes[0]);
        ASSERT_LE(sizes[count - 1], sizes[0]);
        if (count < sizes.size() && count < 64 && bytes + sizes[count] <= 65'507) {
            ASSERT_TRUE(sizes[count] > sizes[0] || sizes[count - 1] < sizes[0] || sizes[count] == 0 || sizes[0] == 0);
        }
    }
}

}  // namespace
}  // namespace myst::wireguard
