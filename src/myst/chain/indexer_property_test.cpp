#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "myst/chain/test_support/indexer_fixture.hpp"

namespace myst::chain {
namespace {

/// Random histories: blocks, forks of any depth within the limit, chains that get shorter, restarts, failures of the
/// endpoint, and looks in between at random moments. Whatever happened, the tables equal those of a fresh index.
bool history_ends_like_a_fresh_index(const std::vector<std::uint16_t>& history) {
    testing::IndexerBench bench(12);
    std::uint32_t seed = 1;
    std::uint64_t floor = 1;  // forks begin here at the lowest: within the limit below the highest block indexed
    for (const auto step : history) {
        seed = seed * 31 + step;
        const auto amount = static_cast<unsigned>(step / 8 % 16);
        switch (step % 8) {
            case 0:
            case 1:
            case 2: bench.mine(static_cast<std::size_t>(amount % 4) + 1, seed); break;
            case 3:
            case 4: {
                const auto height = bench.chain.height();
                if (height < floor) break;
                const auto depth = std::min<std::uint64_t>(amount, height + 1 - floor);
                bench.chain.drop(static_cast<std::size_t>(depth));
                bench.mine(static_cast<std::size_t>(step / 128 % 8) + 1, seed);
                break;
            }
            case 5: bench.chain.failures = static_cast<unsigned>(amount % 3); break;
            case 6: bench.restart(); break;
            default: {
                RC_ASSERT(!bench.follow());
                if (bench.chain.height() > 11) floor = std::max(floor, bench.chain.height() - 11);
            }
        }
    }
    RC_ASSERT(!bench.follow());
    return bench.dump() == bench.fresh_dump();
}

TEST(IndexerProperty, AnyHistoryEndsLikeAFreshIndex) {
    EXPECT_TRUE(rc::check("tables after any history equal a fresh index", [] {
        const auto history = *rc::gen::container<std::vector<std::uint16_t>>(rc::gen::arbitrary<std::uint16_t>());
        RC_ASSERT(history_ends_like_a_fresh_index(history));
    }));
}

}  // namespace
}  // namespace myst::chain
