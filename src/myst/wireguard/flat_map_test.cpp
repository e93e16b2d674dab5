#include "myst/wireguard/flat_map.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>

#include "myst/wireguard/test_support/fixtures.hpp"

namespace myst::wireguard {
namespace {

TEST(FlatMap, AgreesWithAMap) {
    test::SeededRng rng(3);
    FlatMap<std::unique_ptr<std::uint64_t>> flat;
    std::map<std::uint32_t, std::uint64_t> map;
    for (int i = 0; i < 60'000; ++i) {
        // It fills up, is emptied and fills up again; numbers in a row and numbers all over.
        const bool filling = i / 10'000 % 2 == 0;
        const auto key = static_cast<std::uint32_t>(rng.chance(500) ? rng.below(2'000) : rng.below(500) << 23);
        if (rng.chance(filling ? 800 : 200)) {
            const auto [value, fresh] = flat.insert(key);
            ASSERT_EQ(fresh, !map.contains(key));
            if (fresh) *value = std::make_unique<std::uint64_t>(i);
            map.try_emplace(key, i);
        } else {
            const auto erased = flat.erase(key);
            const auto found = map.find(key);
            ASSERT_EQ(erased.has_value(), found != map.end());
            if (erased) {
                ASSERT_EQ(**erased, found->second);
            }
            map.erase(key);
        }
        ASSERT_EQ(flat.size(), map.size());
        const auto asked = static_cast<std::uint32_t>(rng.below(2'000));
        const auto* found = flat.find(asked);
        ASSERT_EQ(found != nullptr, map.contains(asked));
        if (found != nullptr) {
            ASSERT_EQ(**found, map[asked]);
        }
    }
    std::map<std::uint32_t, std::uint64_t> seen;
    flat.for_each([&](std::uint32_t key, const std::unique_ptr<std::uint64_t>& value) { seen[key] = *value; });
    EXPECT_EQ(seen, map);
}

TEST(FlatMap, GivesItsMemoryBack) {
    FlatMap<std::uint32_t> map;
    EXPECT_EQ(map.memory(), 0U);
    for (std::uint32_t i = 0; i < 10'000; ++i) *map.insert(i).first = i;
    const auto full = map.memory();
    EXPECT_LE(full, 10'000U * 12 * 8 / 3) << "at least three eighths full while it grows";
    for (std::uint32_t i = 0; i < 9'900; ++i) EXPECT_EQ(map.erase(i), i);
    EXPECT_LE(map.memory(), full / 16);
    for (std::uint32_t i = 9'900; i < 10'000; ++i) EXPECT_EQ(map.erase(i), i);
    EXPECT_EQ(map.memory(), 0U);
    EXPECT_FALSE(map.erase(1));
}

}  // namespace
}  // namespace myst::wireguard
