#include "myst/db/tag_estimates.hpp"

#include <gmock/gmock.h>

#include "myst/db/record_schema.hpp"

namespace myst::db {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::Eq;
using ::testing::Field;
using ::testing::Gt;
using ::testing::IsEmpty;
using ::testing::SizeIs;

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

std::vector<std::string> values_that_nothing_has(int count) {
    std::vector<std::string> values;
    for (int i = 0; i < count; ++i) values.push_back("nothing " + std::to_string(i));
    return values;
}

/// Else each record of the kind would be looked at, and compared with each of the values.
TEST_F(TagEstimatesTest, ManyValuesThatNothingHasAreTheRarestTag) {
    add("US", 5'000, 1);
    codec::Filter filter;
    filter.kinds = {kKind};
    filter.tags['d'] = values_that_nothing_has(64);
    EXPECT_THAT(estimates.rarest(filter).value(), AllOf(SizeIs(64), Each(Field(&TagEntry::letter, Eq('d')))));
    filter.tags['c'] = {"US"};
    EXPECT_THAT(estimates.rarest(filter).value(), Each(Field(&TagEntry::letter, Eq('d'))));
}

TEST_F(TagEstimatesTest, TooManyToBeCountedAreNotSoughtByTheirKind) {
    codec::Filter filter;
    filter.kinds = {kKind, kKind + 1, kKind + 2, kKind + 3, kKind + 4};
    filter.tags['d'] = values_that_nothing_has(64);
    EXPECT_THAT(estimates.rarest(filter).value(), IsEmpty());
}

/// Else a stranger could have the same records gathered as often as a filter may name a kind.
TEST_F(TagEstimatesTest, WhatAFilterSaysTwiceIsSoughtOnce) {
    codec::Filter filter;
    filter.kinds.assign(64, kKind);
    EXPECT_THAT(estimates.rarest(filter).value(), SizeIs(1));
    filter.kinds.push_back(kKind + 1);
    filter.tags['c'] = {"US", "NL", "US"};
    EXPECT_THAT(estimates.rarest(filter).value(), SizeIs(4));
}

}  // namespace
}  // namespace myst::db
