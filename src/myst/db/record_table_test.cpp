#include "myst/db/record_table.hpp"

#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include "myst/db/db_fixtures.hpp"

namespace myst::db::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const UnixTime kNow = at(1'700'000'000);

RecordTable open_table(StoreLimits limits = {}) {
    auto table = RecordTable::open(":memory:", limits);
    EXPECT_TRUE(table) << table.error().message;
    return std::move(*table);
}

Result<PutOutcome> put(RecordTable& table, const SharedRecord& record, UnixTime now = kNow) {
    auto outcomes = table.put({record}, now);
    if (!outcomes) return forward_error(outcomes);
    return std::move(outcomes->front());
}

std::vector<Hash32> ids(const std::vector<SharedRecord>& records) {
    std::vector<Hash32> result;
    for (const auto& record : records) result.push_back(record->event().id);
    return result;
}

std::vector<Hash32> find(RecordTable& table, const std::vector<codec::Filter>& filters, UnixTime now = kNow,
                         QueryLimits limits = {}) {
    auto found = table.query(filters, limits, now);
    EXPECT_TRUE(found) << found.error().message;
    return found ? ids(*found) : std::vector<Hash32>{};
}

std::vector<Hash32> everything(RecordTable& table, UnixTime now = kNow) {
    return find(table, {codec::Filter{}}, now);
}

Hash32 id_of(const SharedRecord& record) {
    return record->event().id;
}

/// What files of the first version hold.
std::string first_schema() {
    return R"(
CREATE TABLE records(
    seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, author BLOB NOT NULL, kind INTEGER NOT NULL, identifier TEXT,
    created_at INTEGER NOT NULL, expires_at INTEGER, json TEXT NOT NULL);
CREATE UNIQUE INDEX records_by_address ON records(kind, author, identifier) WHERE identifier IS NOT NULL;
CREATE INDEX records_by_time ON records(created_at DESC, id);
CREATE INDEX records_by_kind ON records(kind, created_at DESC, id);
CREATE INDEX records_by_author ON records(author, kind, created_at DESC, id);
CREATE INDEX records_by_expiry ON records(expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE record_tags(
    name TEXT NOT NULL, value TEXT NOT NULL, kind INTEGER NOT NULL, created_at INTEGER NOT NULL, id BLOB NOT NULL,
    expires_at INTEGER, PRIMARY KEY(name, value, kind, created_at DESC, id)) WITHOUT ROWID;)";
}

TEST(RecordTable, KeepsEveryRegularRecordOnce) {
    auto table = open_table();
    const auto key = key_of(1);
    const auto first = make_record(key, 1, kNow, {}, "a");
    const auto second = make_record(key, 1, kNow + seconds(1), {}, "b");
    EXPECT_EQ(put(table, first), PutOutcome::stored);
    EXPECT_EQ(put(table, second), PutOutcome::stored);
    EXPECT_EQ(put(table, first), PutOutcome::duplicate);
    EXPECT_THAT(everything(table), ElementsAre(id_of(second), id_of(first)));
}

TEST(RecordTable, ReturnsWhatWasPut) {
    auto table = open_table();
    const auto record = make_record(key_of(1), 1, kNow, {{"t", "\"quoted\"\n"}}, "ünïcödé \\ \t");
    ASSERT_EQ(put(table, record), PutOutcome::stored);
    auto found = table.query({codec::Filter{}}, QueryLimits{}, kNow);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 1U);
    EXPECT_EQ(found->front()->event(), record->event());
    EXPECT_EQ(found->front()->json(), record->json());
}

TEST(RecordTable, NeverKeepsEphemeralRecords) {
    auto table = open_table();
    EXPECT_EQ(put(table, make_record(key_of(1), kEnvelopeKind, kNow)), PutOutcome::ephemeral);
    EXPECT_THAT(everything(table), IsEmpty());
}

TEST(RecordTable, KeepsTheNewestReplaceableRecordOfAnAuthor) {
    auto table = open_table();
    const auto older = make_record(key_of(1), 10'001, kNow);
    const auto newer = make_record(key_of(1), 10'001, kNow + seconds(1));
    const auto foreign = make_record(key_of(2), 10'001, kNow);
    EXPECT_EQ(put(table, newer), PutOutcome::stored);
    EXPECT_EQ(put(table, older), PutOutcome::older);
    EXPECT_EQ(put(table, foreign), PutOutcome::stored);
    EXPECT_THAT(everything(table), ElementsAre(id_of(newer), id_of(foreign)));
}

TEST(RecordTable, KeepsTheNewestAddressableRecordOfAnAuthorAndName) {
    auto table = open_table();
    const auto first = make_record(key_of(1), 30'001, kNow, {{"d", "a"}});
    const auto other_name = make_record(key_of(1), 30'001, kNow + seconds(1), {{"d", "b"}});
    const auto second = make_record(key_of(1), 30'001, kNow + seconds(2), {{"d", "a"}});
    for (const auto& record : {first, other_name, second}) EXPECT_EQ(put(table, record), PutOutcome::stored);
    EXPECT_THAT(everything(table), ElementsAre(id_of(second), id_of(other_name)));
}

TEST(RecordTable, AMissingNameIsTheEmptyName) {
    auto table = open_table();
    EXPECT_EQ(put(table, make_record(key_of(1), 30'001, kNow)), PutOutcome::stored);
    EXPECT_EQ(put(table, make_record(key_of(1), 30'001, kNow - seconds(1), {{"d", ""}})), PutOutcome::older);
}

TEST(RecordTable, AtEqualTimesTheLowerIdWins) {
    for (const bool lower_first : {true, false}) {
        auto table = open_table();
        auto a = make_record(key_of(1), 30'001, kNow, {{"d", "x"}}, "a");
        auto b = make_record(key_of(1), 30'001, kNow, {{"d", "x"}}, "b");
        if (id_of(b) < id_of(a)) std::swap(a, b);
        EXPECT_EQ(put(table, lower_first ? a : b), PutOutcome::stored);
        EXPECT_EQ(put(table, lower_first ? b : a), lower_first ? PutOutcome::older : PutOutcome::stored);
        EXPECT_THAT(everything(table), ElementsAre(id_of(a)));
    }
}

TEST(RecordTable, AtEqualTimesResultsComeInTheOrderOfTheirIds) {
    auto table = open_table();
    std::vector<Hash32> expected;
    for (const char* content : {"a", "b", "c", "d"}) {
        const auto record = make_record(key_of(1), 1, kNow, {}, content);
        ASSERT_EQ(put(table, record), PutOutcome::stored);
        expected.push_back(id_of(record));
    }
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(everything(table), expected);
}

TEST(RecordTable, ExpiredRecordsAreNeitherTakenNorShown) {
    auto table = open_table();
    const auto record = make_record(key_of(1), 1, kNow, {expires(kNow + seconds(10))});
    EXPECT_EQ(put(table, make_record(key_of(1), 1, kNow, {expires(kNow)})), PutOutcome::expired);
    EXPECT_EQ(put(table, record), PutOutcome::stored);
    EXPECT_THAT(everything(table, kNow + seconds(9)), ElementsAre(id_of(record)));
    EXPECT_THAT(everything(table, kNow + seconds(10)), IsEmpty());
}

TEST(RecordTable, PurgingDeletesWhatHasExpired) {
    auto table = open_table();
    ASSERT_EQ(put(table, make_record(key_of(1), 1, kNow, {expires(kNow + seconds(10)), {"t", "x"}})),
              PutOutcome::stored);
    ASSERT_EQ(put(table, make_record(key_of(1), 1, kNow)), PutOutcome::stored);
    EXPECT_EQ(*table.purge(kNow + seconds(9)), 0U);
    EXPECT_EQ(*table.purge(kNow + seconds(10)), 1U);
    EXPECT_EQ(everything(table).size(), 1U);
}

TEST(RecordTable, AReplacedVersionDoesNotComeBackWhenItsSuccessorExpires) {
    auto table = open_table();
    const auto old_offer = make_record(key_of(1), 30'001, kNow, {{"d", "x"}, expires(kNow + seconds(86'400))});
    const auto withdrawal =
        make_record(key_of(1), 30'001, kNow + seconds(5), {{"d", "x"}, expires(kNow + seconds(10))});
    ASSERT_EQ(put(table, old_offer), PutOutcome::stored);
    ASSERT_EQ(put(table, withdrawal, kNow + seconds(5)), PutOutcome::stored);
    const auto later = kNow + seconds(3'600);
    ASSERT_TRUE(table.purge(later));
    EXPECT_EQ(put(table, old_offer, later), PutOutcome::older);
    EXPECT_THAT(everything(table, later), IsEmpty());
    EXPECT_EQ(*table.purge(kNow + seconds(10) + kVersionMemory), 1U);
}

TEST(RecordTable, ANewerVersionReplacesAnExpiredOne) {
    auto table = open_table();
    ASSERT_EQ(put(table, make_record(key_of(1), 30'001, kNow, {{"d", "x"}, expires(kNow + seconds(1))})),
              PutOutcome::stored);
    const auto next = make_record(key_of(1), 30'001, kNow + seconds(2), {{"d", "x"}, expires(kNow + seconds(60))});
    EXPECT_EQ(put(table, next, kNow + seconds(2)), PutOutcome::stored);
    EXPECT_THAT(everything(table, kNow + seconds(2)), ElementsAre(id_of(next)));
}

TEST(RecordTable, AFullStoreRefusesNewRecordsButNotNewVersions) {
    auto table = open_table({2, 10, 4});
    ASSERT_EQ(put(table, make_record(key_of(1), 30'001, kNow, {{"d", "x"}})), PutOutcome::stored);
    ASSERT_EQ(put(table, make_record(key_of(2), 1, kNow, {expires(kNow + seconds(1))})), PutOutcome::stored);
    const auto refused = put(table, make_record(key_of(3), 1, kNow));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::limit_exceeded);
    EXPECT_EQ(put(table, make_record(key_of(1), 30'001, kNow + seconds(1), {{"d", "x"}})), PutOutcome::stored);
    ASSERT_EQ(*table.purge(kNow + seconds(1)), 1U);
    EXPECT_EQ(put(table, make_record(key_of(3), 1, kNow), kNow + seconds(1)), PutOutcome::stored);
}

TEST(RecordTable, OneAuthorCannotFillTheStore) {
    auto table = open_table({100, 2, 4});
    for (int i = 0; i < 2; ++i) {
        ASSERT_EQ(put(table, make_record(key_of(1), 1, kNow + seconds(i))), PutOutcome::stored);
    }
    EXPECT_FALSE(put(table, make_record(key_of(1), 1, kNow + seconds(2))));
    EXPECT_EQ(put(table, make_record(key_of(2), 1, kNow)), PutOutcome::stored);
}

TEST(RecordTable, AnAuthorHasFewNamesOfAKind) {
    StoreLimits limits;
    limits.names_per_author = 2;
    auto table = open_table(limits);
    const auto named = [](std::uint32_t kind, std::string name, int age) {
        return make_record(key_of(1), kind, kNow - seconds(age), {{"d", std::move(name)}, expires(kNow + seconds(10))});
    };
    EXPECT_EQ(put(table, named(30'001, "a", 5)), PutOutcome::stored);
    EXPECT_EQ(put(table, named(30'001, "b", 5)), PutOutcome::stored);
    const auto refused = put(table, named(30'001, "c", 5));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::limit_exceeded);
    EXPECT_EQ(put(table, named(30'001, "a", 4)), PutOutcome::stored) << "a new version needs no room";
    EXPECT_EQ(put(table, named(30'002, "c", 5)), PutOutcome::stored) << "another kind";
}

TEST(RecordTable, ExpiredRecordsDoNotHoldTheirPlaces) {
    StoreLimits limits;
    limits.records = 3;
    limits.names_per_author = 2;
    auto table = open_table(limits);
    const auto soon = kNow + seconds(10);
    for (const char* name : {"a", "b"}) {
        ASSERT_EQ(put(table, make_record(key_of(1), 30'001, kNow, {{"d", name}, expires(soon)})), PutOutcome::stored);
    }
    const auto third = make_record(key_of(1), 30'001, kNow, {{"d", "c"}, expires(soon + seconds(60))});
    EXPECT_FALSE(put(table, third));
    EXPECT_EQ(put(table, third, soon), PutOutcome::stored) << "in the place of its author's expired record";
    for (std::uint8_t author = 2; author <= 3; ++author) {
        const auto foreign = make_record(key_of(author), 1, kNow);
        EXPECT_EQ(put(table, foreign, soon), PutOutcome::stored) << "the store has room, or an expired record";
    }
    EXPECT_FALSE(put(table, make_record(key_of(4), 1, kNow), soon)) << "everything lives";
    EXPECT_EQ(everything(table, soon).size(), 3U);
}

TEST(RecordTable, AnswersAreLoadedPageByPage) {
    auto table = open_table();
    std::vector<SharedRecord> records;
    for (int i = 0; i < 5; ++i) {
        records.push_back(make_record(key_of(1), 1, kNow - seconds(i), {}, std::string(1'000, 'x')));
        ASSERT_EQ(put(table, records.back()), PutOutcome::stored);
    }
    auto found = table.find({codec::Filter{}}, 4, kNow);
    ASSERT_TRUE(found);
    ASSERT_EQ(found->size(), 4U);
    const auto two = records[0]->json().size() + records[1]->json().size();
    auto page = table.load(*found, two);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->taken, 2U);
    EXPECT_THAT(page->texts, ElementsAre(records[0]->json(), records[1]->json()));
    page = table.load({Hash32{}, (*found)[2], (*found)[3]}, 1);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->taken, 2U) << "one that is gone, and one although it is larger than the page";
    EXPECT_THAT(page->texts, ElementsAre(records[2]->json()));
}

TEST(RecordTable, ARefusalInABatchLeavesTheOthersStored) {
    auto table = open_table({100, 1, 4});
    const auto kept = make_record(key_of(1), 1, kNow);
    const auto refused = make_record(key_of(1), 1, kNow, {}, "second");
    const auto also_kept = make_record(key_of(2), 1, kNow);
    auto outcomes = table.put({kept, refused, also_kept}, kNow);
    ASSERT_TRUE(outcomes);
    EXPECT_TRUE((*outcomes)[0]);
    EXPECT_FALSE((*outcomes)[1]);
    EXPECT_TRUE((*outcomes)[2]);
    EXPECT_THAT(everything(table), UnorderedElementsAre(id_of(kept), id_of(also_kept)));
}

TEST(RecordTable, SurvivesReopening) {
    const auto path = std::string(::testing::TempDir()) + fmt::format("myst_record_table_test-{}.db", ::getpid());
    std::remove(path.c_str());
    const auto record = make_record(key_of(1), 1, kNow);
    {
        auto table = RecordTable::open(path, StoreLimits{});
        ASSERT_TRUE(table);
        ASSERT_EQ(put(*table, record), PutOutcome::stored);
    }
    auto table = RecordTable::open(path, StoreLimits{1, 1, 1});
    ASSERT_TRUE(table);
    EXPECT_THAT(everything(*table), ElementsAre(id_of(record)));
    EXPECT_FALSE(put(*table, make_record(key_of(2), 1, kNow))) << "the limit counts what was there before";
    for (const char* suffix : {"", "-wal", "-shm"}) std::remove((path + suffix).c_str());
}

TEST(RecordTable, AFileOfTheFirstSchemaIsBroughtUpToDate) {
    const auto path = std::string(::testing::TempDir()) + fmt::format("myst_record_table_test-{}.db", ::getpid());
    std::remove(path.c_str());
    auto offer = make_record(key_of(1), 30'001, kNow, {{"d", "x"}, {"c", "DE"}, expires(kNow + seconds(60))});
    const auto list = make_record(key_of(3), codec::kRelayListKind, kNow);
    {
        auto database = sys::Database::open(path, sys::Durability::normal).value();
        ASSERT_TRUE(database.migrate({first_schema()}));
        ASSERT_TRUE(database
                        .prepare("INSERT INTO records(id,author,kind,identifier,created_at,expires_at,json) "
                                 "VALUES(?,?,30001,'x',1700000000,1700000060,?)")
                        .with(id_of(offer), key_of(1).node_key(), offer->json())
                        .run());
        ASSERT_TRUE(database
                        .prepare("INSERT INTO record_tags VALUES('d','x',30001,1700000000,?1,1700000060),"
                                 "('c','DE',30001,1700000000,?1,1700000060)")
                        .with(id_of(offer))
                        .run());
        ASSERT_TRUE(database
                        .prepare("INSERT INTO records(id,author,kind,identifier,created_at,expires_at,json) "
                                 "VALUES(?,?,10002,'',1700000000,NULL,?)")
                        .with(id_of(list), key_of(3).node_key(), list->json())
                        .run());
    }
    auto table = RecordTable::open(path, StoreLimits{});
    ASSERT_TRUE(table) << table.error().message;
    EXPECT_EQ(put(*table, offer), PutOutcome::duplicate);
    codec::Filter by_kind;
    by_kind.kinds = {30'001};
    EXPECT_THAT(find(*table, {by_kind}), ElementsAre(id_of(offer)));
    const auto newer = make_record(key_of(1), 30'001, kNow + seconds(1), {{"d", "x"}});
    EXPECT_EQ(put(*table, newer), PutOutcome::stored);
    codec::Filter by_author;
    by_author.authors = {key_of(1).node_key()};
    EXPECT_THAT(find(*table, {by_author}), ElementsAre(id_of(newer)));
    EXPECT_THAT(find(*table, {by_kind}), ElementsAre(id_of(newer)));
    // Relay lists had no end then.
    by_author.authors = {key_of(3).node_key()};
    codec::Filter lists;
    lists.kinds = {codec::kRelayListKind};
    for (const auto& filter : {by_author, lists}) {
        EXPECT_THAT(*table->find({filter}, 10, kNow + codec::kRelayListLife), ElementsAre(id_of(list)));
        EXPECT_THAT(*table->find({filter}, 10, kNow + codec::kRelayListLife + seconds(900)), IsEmpty());
    }
    for (const char* suffix : {"", "-wal", "-shm"}) std::remove((path + suffix).c_str());
}

TEST(RecordTable, AQuestionThatCostsTooMuchIsRefusedAndTheNextIsAnswered) {
    StoreLimits limits;
    limits.search_steps = 4'000;
    auto table = open_table(limits);
    for (int i = 0; i < 600; ++i) {
        const std::vector<codec::Tag> tags = {{"s", i % 2 == 0 ? "even" : "odd"}, {"c", i % 2 == 0 ? "XX" : "YY"}};
        ASSERT_EQ(put(table, make_record(key_of(1), 1, kNow + seconds(i), tags)), PutOutcome::stored);
    }
    codec::Filter costly;  // either tag is that of half the records, and none has both
    costly.kinds = {1};
    costly.tags['s'] = {"even"};
    costly.tags['c'] = {"YY"};
    const auto refused = table.find({costly}, 100, kNow);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::limit_exceeded);
    codec::Filter cheap;
    cheap.kinds = {1};
    cheap.tags['s'] = {"even"};
    EXPECT_EQ(table.find({cheap}, 50, kNow).value().size(), 50U);
}

TEST(RecordTable, KeysThatBeginAlikeAreTwoAuthors) {
    auto table = open_table();
    std::array<std::uint8_t, 32> other{};
    const auto author = key_of(1).node_key();
    codec::Filter filter;
    ASSERT_EQ(put(table, make_record(key_of(1), 1, kNow)), PutOutcome::stored);
    std::copy_n(author.view().begin(), 8, other.begin());
    filter.authors = {*NodeKey::from(other)};
    EXPECT_THAT(find(table, {filter}), IsEmpty());
    filter = {};
    filter.ids = {Hash32{other}};
    EXPECT_THAT(find(table, {filter}), IsEmpty());
    const auto id = everything(table).front();
    std::copy_n(id.view().begin(), 8, other.begin());
    filter.ids = {Hash32{other}};
    EXPECT_THAT(find(table, {filter}), IsEmpty());
    EXPECT_TRUE(table.load({Hash32{other}}, 1'000)->texts.empty());
}

class RecordTableFilters : public ::testing::Test {
protected:
    RecordTableFilters() {
        for (const auto& record : {german, french, hours, foreign}) EXPECT_EQ(put(table, record), PutOutcome::stored);
    }
    std::vector<Hash32> find_one(const codec::Filter& filter) { return find(table, {filter}); }

    RecordTable table = open_table();
    SharedRecord german = make_record(key_of(1), 1, kNow + seconds(1), {{"s", "wireguard"}, {"c", "DE"}});
    SharedRecord french = make_record(key_of(1), 1, kNow + seconds(2), {{"s", "wireguard"}, {"c", "FR"}});
    SharedRecord hours = make_record(key_of(1), 7, kNow + seconds(3), {{"s", "openvpn"}, {"c", "DE"}, {"c", "FR"}});
    SharedRecord foreign = make_record(key_of(2), 1, kNow + seconds(4), {{"service", "wireguard"}});
};

TEST_F(RecordTableFilters, SelectByEachCondition) {
    codec::Filter filter;
    filter.ids = {id_of(french), id_of(hours), Hash32{}};
    EXPECT_THAT(find_one(filter), ElementsAre(id_of(hours), id_of(french)));
    filter = {};
    filter.authors = {key_of(2).node_key()};
    EXPECT_THAT(find_one(filter), ElementsAre(id_of(foreign)));
    filter = {};
    filter.kinds = {7, 8};
    EXPECT_THAT(find_one(filter), ElementsAre(id_of(hours)));
    filter = {};
    filter.since = kNow + seconds(2);
    filter.until = kNow + seconds(3);
    EXPECT_THAT(find_one(filter), ElementsAre(id_of(hours), id_of(french)));
}

TEST_F(RecordTableFilters, SelectByTags) {
    codec::Filter filter;
    filter.tags['s'] = {"wireguard"};
    EXPECT_THAT(find_one(filter), ElementsAre(id_of(french), id_of(german))) << "only single letters are indexed";
    filter.tags['c'] = {"DE", "IT"};
    EXPECT_THAT(find_one(filter), ElementsAre(id_of(german)));
    filter.tags['s'] = {"wireguard", "openvpn"};
    EXPECT_THAT(find_one(filter), ElementsAre(id_of(hours), id_of(german)));
    filter.authors = {key_of(2).node_key()};
    EXPECT_THAT(find_one(filter), IsEmpty());
}

TEST_F(RecordTableFilters, ForgetTheTagsOfWhatWasReplacedOrHasExpired) {
    codec::Filter filter;
    filter.kinds = {30'001};
    filter.tags['c'] = {"DE", "FR"};
    const auto first = make_record(key_of(3), 30'001, kNow, {{"d", "x"}, {"c", "DE"}});
    ASSERT_EQ(put(table, first), PutOutcome::stored);
    EXPECT_THAT(find_one(filter), ElementsAre(id_of(first)));
    const auto expiry = expires(kNow + seconds(10));
    const auto second = make_record(key_of(3), 30'001, kNow + seconds(1), {{"d", "x"}, {"c", "FR"}, expiry});
    ASSERT_EQ(put(table, second), PutOutcome::stored);
    EXPECT_THAT(find_one(filter), ElementsAre(id_of(second)));
    EXPECT_THAT(find(table, {filter}, kNow + seconds(10)), IsEmpty());
    ASSERT_EQ(*table.purge(kNow + seconds(10) + kVersionMemory), 1U);
    EXPECT_THAT(find_one(filter), IsEmpty());
}

TEST_F(RecordTableFilters, HonourLimits) {
    codec::Filter filter;
    filter.limit = 2;
    EXPECT_THAT(find_one(filter), ElementsAre(id_of(foreign), id_of(hours)));
    filter.limit = 0;
    EXPECT_THAT(find_one(filter), IsEmpty());
    QueryLimits limits;
    limits.records = 1;
    EXPECT_EQ(find(table, {codec::Filter{}}, kNow, limits).size(), 1U);
    limits = {};
    limits.bytes = foreign->json().size() + hours->json().size();
    EXPECT_THAT(find(table, {codec::Filter{}}, kNow, limits), ElementsAre(id_of(foreign), id_of(hours)));
}

TEST_F(RecordTableFilters, SeveralFiltersGiveTheirUnion) {
    codec::Filter openvpn;
    openvpn.tags['s'] = {"openvpn"};
    codec::Filter german_exit;
    german_exit.tags['c'] = {"DE"};
    EXPECT_THAT(find(table, {openvpn, german_exit}), ElementsAre(id_of(hours), id_of(german)));
    EXPECT_THAT(find(table, {}), IsEmpty());
}

TEST_F(RecordTableFilters, TextsAreDataAndNotSql) {
    codec::Filter filter;
    filter.tags['s'] = {"') OR 1=1 --", std::string("wireguard\0x", 11)};
    filter.tags['c'] = {"'; DROP TABLE records; --"};
    EXPECT_THAT(find_one(filter), IsEmpty());
    EXPECT_EQ(everything(table).size(), 4U);
}

TEST_F(RecordTableFilters, TooManyValuesAreRefused) {
    codec::Filter filter;
    for (char letter = 'a'; letter <= 'e'; ++letter) filter.tags[letter] = std::vector<std::string>(64, "x");
    auto found = table.query({filter}, QueryLimits{}, kNow);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, ErrorCode::limit_exceeded);
}

/// A small world in which versions, ties, kinds and expiries collide often.
std::vector<SharedRecord> small_world() {
    std::vector<SharedRecord> records;
    for (const std::uint32_t kind : {1U, 10'001U, 20'510U, 30'001U}) {
        for (std::uint8_t author = 1; author <= 2; ++author) {
            for (const int time : {0, 0, 1, 2}) {
                const auto serial = std::to_string(records.size());
                std::vector<codec::Tag> tags = {{"d", records.size() % 3 == 0 ? "x" : "y"}};
                tags.push_back({"c", records.size() % 4 == 0 ? "DE" : "FR"});
                if (records.size() % 7 == 0) tags.push_back({"c", "NL"});
                if (records.size() % 5 == 0) tags.push_back(expires(kNow + seconds(time == 2 ? 0 : 100)));
                records.push_back(make_record(key_of(author), kind, kNow - seconds(10 - time), tags, serial));
            }
        }
    }
    return records;
}

RC_GTEST_PROP(RecordTable, AnyOrderAndRepetitionGivesTheSameRecords, ()) {
    static const std::vector<SharedRecord> world = small_world();
    const auto chosen = *rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, world.size()));
    auto in_order = open_table();
    for (const auto index : std::set<std::size_t>(chosen.begin(), chosen.end())) {
        RC_ASSERT(put(in_order, world[index]).has_value());
    }
    auto as_chosen = open_table();
    std::vector<SharedRecord> batch;
    for (const auto index : chosen) {
        batch.push_back(world[index]);
        if (index % 3 == 0) RC_ASSERT(as_chosen.put(std::exchange(batch, {}), kNow).has_value());
    }
    RC_ASSERT(as_chosen.put(batch, kNow).has_value());
    RC_ASSERT(everything(in_order) == everything(as_chosen));
}

RC_GTEST_PROP(RecordTable, AFilterFindsExactlyWhatItMatches, ()) {
    static const std::vector<SharedRecord> world = small_world();
    auto table = open_table();
    RC_ASSERT(table.put(world, kNow).has_value());
    codec::Filter filter;
    for (const auto kind : {1U, 10'001U, 30'001U, 5U}) {
        if (*rc::gen::arbitrary<bool>()) filter.kinds.push_back(kind);
    }
    if (*rc::gen::arbitrary<bool>()) filter.authors = {key_of(*rc::gen::inRange<std::uint8_t>(1, 4)).node_key()};
    if (*rc::gen::arbitrary<bool>()) filter.tags['d'] = {*rc::gen::element<std::string>("x", "y", "z")};
    for (const char* country : {"DE", "FR", "NL", "IT"}) {
        if (*rc::gen::arbitrary<bool>()) filter.tags['c'].emplace_back(country);
    }
    if (*rc::gen::arbitrary<bool>()) filter.limit = *rc::gen::inRange<std::uint32_t>(0, 6);
    if (*rc::gen::arbitrary<bool>()) filter.since = kNow - seconds(*rc::gen::inRange(7, 12));
    if (*rc::gen::arbitrary<bool>()) filter.until = kNow - seconds(*rc::gen::inRange(7, 12));
    std::vector<Hash32> expected;
    const auto all = table.query({codec::Filter{}}, QueryLimits{}, kNow).value();
    for (const auto& record : all) {
        if (filter.matches(record->event())) expected.push_back(record->event().id);
    }
    if (filter.limit && expected.size() > *filter.limit) expected.resize(*filter.limit);
    RC_ASSERT(find(table, {filter}) == expected);
}

}  // namespace
}  // namespace myst::db::test
