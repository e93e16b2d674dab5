#include "myst/sys/packet_memory.hpp"

#include <algorithm>

#include <gtest/gtest.h>

namespace myst::sys {
namespace {

TEST(PacketMemory, BuffersAreZeroedApartAndBeginAtCacheLines) {
    PacketMemory memory(1000);
    const auto first = memory.take(100);
    const auto second = memory.take(872);  // the first took 128
    for (const auto part : {first, second}) {
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(part.data()) % 64, 0U);
        EXPECT_TRUE(std::ranges::all_of(part, [](std::uint8_t byte) { return byte == 0; }));
    }
    EXPECT_GE(second.data(), first.data() + first.size());
}

TEST(PacketMemory, BeginsAtTheBorderOfALargePage) {
    PacketMemory memory(1);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.take(1).data()) % (2U << 20), 0U);
}

}  // namespace
}  // namespace myst::sys
