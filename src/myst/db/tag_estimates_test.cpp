#include "myst/db/tag_estimates.hpp"

#include <gmock/gmock.h>

#include "myst/db/record_schema.hpp"

namespace myst::db {
namespace {

using ::testing::Eq;
using ::testing::Gt;

constexpr std::uint32_t kKind = 30'001;

sys::Database open_empty() {
    auto database = sys::Database::open(":memory:", sys::Durability::normal).value();
    EXPECT_TRUE(database.migrate(record_migrations()));
    return database;
}

class TagEstimatesTest : public ::testing::Test {
protected:
    /// So many entries, one each `interval` seconds.
    void add(const std::string& value, int count, int interval) {
        auto transaction = sys::Transaction::begin(database).value();
        auto insert = database.prepare("INSERT INTO record_tags(name,value,kind,created_at,id) VALUES('c',?,?,?,?)");
        for (std::int64_t i = 0; i < count; ++i) {
            ASSERT_TRUE(insert.with(value, kKind, i * interval, Hash32{}).run());
        }
        ASSERT_TRUE(transaction.commit());
    }
    std::size_t estimate(const std::string& value) { return estimates.of({'c', value, kKind}).value(); }

    sys::Database database = open_empty();
    TagEstimates estimates{database};
};

TEST_F(TagEstimatesTest, AreExactForFew) {
    add("IS", 3, 10);
    EXPECT_THAT(estimate("IS"), Eq(3U));
    EXPECT_THAT(estimate("AQ"), Eq(0U));
    EXPECT_THAT(estimates.of({'c', "IS", kKind + 1}).value(), Eq(0U));
}

TEST_F(TagEstimatesTest, TellTheRarerOfTwoThatAreMany) {
    add("US", 5'000, 1);
    add("NL", 2'500, 20);
    EXPECT_THAT(estimate("US"), Gt(estimate("NL")));
}

TEST_F(TagEstimatesTest, AreMadeAgainAfterManyChanges) {
    ASSERT_THAT(estimate("IS"), Eq(0U));
    add("IS", 1, 1);
    EXPECT_THAT(estimate("IS"), Eq(0U));
    for (int i = 0; i < 1'000; ++i) estimates.on_change();
    EXPECT_THAT(estimate("IS"), Eq(1U));
}

TEST_F(TagEstimatesTest, OfLongValuesAreNotRemembered) {
    const std::string value(200, 'x');
    ASSERT_THAT(estimate(value), Eq(0U));
    add(value, 1, 1);
    EXPECT_THAT(estimate(value), Eq(1U));
}

}  // namespace
}  // namespace myst::db
