// Deletion requests (NIP-09): in the table, at the hub, and from node to node.
#include "myst/db/record_deletion.hpp"

#include <gmock/gmock.h>

#include "myst/db/full_network.hpp"
#include "myst/db/record_table.hpp"
#include "myst/db/relay_fixtures.hpp"

namespace myst::db::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const UnixTime kNow = at(1'700'000'000);

codec::Tag names(const SharedRecord& record) {
    return {"e", record->event().id.hex()};
}

codec::Tag names(const crypto::PrivateKey& author, std::uint32_t kind, const std::string& identifier) {
    return {"a", std::to_string(kind) + ":" + author.node_key().hex() + ":" + identifier};
}

SharedRecord request(const crypto::PrivateKey& author, std::vector<codec::Tag> tags, UnixTime created_at = kNow) {
    return make_record(author, kDeletionKind, created_at, std::move(tags));
}

class DeletionTest : public ::testing::Test {
protected:
    PutOutcome put(const SharedRecord& record) {
        auto outcomes = table.put({record}, kNow);
        EXPECT_TRUE(outcomes && outcomes->front());
        return outcomes && outcomes->front() ? *outcomes->front() : PutOutcome::ephemeral;
    }
    std::vector<Hash32> stored(std::vector<std::uint32_t> kinds = {}) {
        codec::Filter filter;
        filter.kinds = std::move(kinds);
        auto found = table.find({filter}, 100, kNow);
        EXPECT_TRUE(found);
        return found ? *found : std::vector<Hash32>{};
    }
    static Hash32 id(const SharedRecord& record) { return record->event().id; }

    const crypto::PrivateKey author = key_of(1);
    const crypto::PrivateKey other = key_of(2);
    RecordTable table = RecordTable::open(":memory:", StoreLimits{.deletions = 5, .deletions_per_author = 3}).value();
};

TEST_F(DeletionTest, TakesTheNamedRecordsOfItsAuthorAndKeepsThemAway) {
    const auto first = make_record(author, 1, kNow, {{"t", "x"}}, "a");
    const auto second = make_record(author, 1, kNow, {}, "b");
    const auto third = make_record(author, 1, kNow, {}, "c");
    for (const auto& record : {first, second, third}) ASSERT_EQ(put(record), PutOutcome::stored);
    EXPECT_EQ(put(request(author, {names(first), names(third), {"k", "1"}})), PutOutcome::stored);
    EXPECT_THAT(stored({1}), ElementsAre(id(second)));
    EXPECT_EQ(put(first), PutOutcome::deleted);
    EXPECT_THAT(stored({1}), ElementsAre(id(second)));
}

TEST_F(DeletionTest, IsRememberedBeforeTheRecordComes) {
    const auto record = make_record(author, 1, kNow);
    ASSERT_EQ(put(request(author, {names(record)})), PutOutcome::stored);
    EXPECT_EQ(put(record), PutOutcome::deleted);
}

TEST_F(DeletionTest, LeavesRecordsOfOthersAlone) {
    const auto here = make_record(other, 1, kNow, {}, "here");
    const auto later = make_record(other, 1, kNow, {}, "later");
    const auto offer = make_record(other, kProposalKind, kNow, {{"d", "x"}});
    ASSERT_EQ(put(here), PutOutcome::stored);
    ASSERT_EQ(put(offer), PutOutcome::stored);
    const auto foreign = request(author, {names(here), names(later), names(other, kProposalKind, "x"), names(offer)});
    ASSERT_EQ(put(foreign), PutOutcome::stored);
    EXPECT_EQ(put(later), PutOutcome::stored);
    EXPECT_THAT(stored({1, kProposalKind}), UnorderedElementsAre(id(here), id(later), id(offer)));
}

TEST_F(DeletionTest, OfAnAddressEndsAtTheRequestsTime) {
    const auto offer = [&](std::int64_t offset, const std::string& name) {
        return make_record(author, kProposalKind, kNow + seconds(offset), {{"d", name}});
    };
    const auto current = offer(-10, "x");
    const auto other_name = offer(-10, "y");
    ASSERT_EQ(put(current), PutOutcome::stored);
    ASSERT_EQ(put(other_name), PutOutcome::stored);
    ASSERT_EQ(put(request(author, {names(author, kProposalKind, "x")}, kNow)), PutOutcome::stored);
    EXPECT_THAT(stored({kProposalKind}), ElementsAre(id(other_name)));
    EXPECT_EQ(put(offer(-1, "x")), PutOutcome::deleted) << "an older version";
    EXPECT_EQ(put(offer(0, "x")), PutOutcome::deleted) << "one of the same second";
    EXPECT_EQ(put(offer(1, "x")), PutOutcome::stored) << "the author offers again";
    ASSERT_EQ(put(request(author, {names(author, kProposalKind, "y")}, kNow - seconds(60))), PutOutcome::stored);
    EXPECT_THAT(stored({kProposalKind}), ::testing::Contains(id(other_name))) << "it is newer than the request";
}

TEST_F(DeletionTest, OfAReplaceableKindNeedsNoIdentifier) {
    const auto list = make_record(author, 10'002, kNow);
    ASSERT_EQ(put(list), PutOutcome::stored);
    ASSERT_EQ(put(request(author, {names(author, 10'002, "")})), PutOutcome::stored);
    EXPECT_THAT(stored({10'002}), IsEmpty());
}

TEST_F(DeletionTest, OfAVersionKeepsTheOlderOnesAwayToo) {
    const auto older = make_record(author, kProposalKind, kNow - seconds(5), {{"d", "x"}});
    const auto newer = make_record(author, kProposalKind, kNow, {{"d", "x"}});
    ASSERT_EQ(put(older), PutOutcome::stored);
    ASSERT_EQ(put(newer), PutOutcome::stored);
    ASSERT_EQ(put(request(author, {names(newer)})), PutOutcome::stored);
    EXPECT_EQ(put(older), PutOutcome::deleted);
    EXPECT_THAT(stored({kProposalKind}), IsEmpty());
}

TEST_F(DeletionTest, OfADeletionHasNoEffect) {
    const auto record = make_record(author, 1, kNow);
    const auto deletion = request(author, {names(record)});
    ASSERT_EQ(put(deletion), PutOutcome::stored);
    ASSERT_EQ(put(request(author, {names(deletion)})), PutOutcome::stored);
    EXPECT_THAT(stored({kDeletionKind}), ::testing::Contains(id(deletion)));
    EXPECT_EQ(put(record), PutOutcome::deleted);
}

TEST_F(DeletionTest, OfARevocationHasNoEffect) {
    const auto revocation = make_record(author, kRevocationKind, kNow);
    const auto wish = request(author, {names(revocation), names(author, kRevocationKind, "")});
    EXPECT_TRUE(deletion_targets(wish->event()).addresses.empty());
    ASSERT_EQ(put(make_record(author, 1, kNow)), PutOutcome::stored);
    ASSERT_EQ(put(wish), PutOutcome::stored);
    EXPECT_EQ(put(revocation), PutOutcome::stored);
    EXPECT_EQ(put(wish), PutOutcome::revoked);
    EXPECT_THAT(stored(), ElementsAre(id(revocation)));
}

TEST_F(DeletionTest, OfAGiftWrapIsForItsRecipient) {
    const auto wrap = make_record(key_of(9), codec::kGiftWrapKind, kNow, {{"p", author.node_key().hex()}});
    const auto next = make_record(key_of(8), codec::kGiftWrapKind, kNow, {{"p", author.node_key().hex()}});
    ASSERT_EQ(put(wrap), PutOutcome::stored);
    ASSERT_EQ(put(request(other, {names(wrap), names(next), {"k", "1059"}})), PutOutcome::stored);
    EXPECT_THAT(stored({codec::kGiftWrapKind}), ElementsAre(id(wrap)));
    ASSERT_EQ(put(request(author, {names(wrap), names(next), {"k", "1059"}})), PutOutcome::stored);
    EXPECT_THAT(stored({codec::kGiftWrapKind}), IsEmpty());
    EXPECT_EQ(put(next), PutOutcome::deleted);
}

TEST_F(DeletionTest, RequestsAreLimitedForEachAuthorAndInAll) {
    const auto try_one = [&](std::uint8_t from, std::int64_t offset) {
        const auto record = make_record(key_of(from), 1, kNow, {}, std::to_string(offset));
        auto outcomes = table.put({request(key_of(from), {names(record)}, kNow + seconds(offset))}, kNow);
        EXPECT_TRUE(outcomes);
        return outcomes->front() ? std::string("stored") : outcomes->front().error().message;
    };
    for (int i = 0; i < 3; ++i) EXPECT_EQ(try_one(1, i), "stored");
    EXPECT_EQ(try_one(1, 3), "this author has too many deletion requests here");
    for (int i = 0; i < 2; ++i) EXPECT_EQ(try_one(2, i), "stored");
    EXPECT_EQ(try_one(3, 0), "this relay keeps no more deletion requests");
}

TEST_F(DeletionTest, StrangersLeaveHalfOfTheRequestsToOthers) {
    StoreLimits limits{.deletions = 5, .deletions_per_author = 3};
    limits.stranger.deletions_in_all = 2;
    auto half = RecordTable::open(":memory:", limits).value();
    const auto try_one = [&](std::uint8_t from, Standing standing) {
        auto outcomes = half.put({request(key_of(from), {{"e", std::string(64, 'a')}})}, kNow, {standing});
        EXPECT_TRUE(outcomes);
        return outcomes->front() ? std::string("stored") : outcomes->front().error().message;
    };
    const std::string full = "this relay keeps no more deletion requests";
    EXPECT_EQ(try_one(1, Standing::stranger), "stored");
    EXPECT_EQ(try_one(2, Standing::stranger), "stored");
    EXPECT_EQ(try_one(3, Standing::stranger), full);
    for (std::uint8_t from = 4; from < 7; ++from) EXPECT_EQ(try_one(from, Standing::registered), "stored");
    EXPECT_EQ(try_one(7, Standing::registered), full);
    EXPECT_EQ(StoreLimits{}.stranger.deletions_in_all * 2, StoreLimits{}.deletions);
}

TEST_F(DeletionTest, EndsWhenNothingThatItNamesCanBeValid) {
    const std::string id(64, 'a');
    const auto address = [&](std::uint32_t kind) { return names(author, kind, "x"); };
    const seconds day{24 * 3600};
    const std::vector<std::pair<std::vector<codec::Tag>, seconds>> cases = {
        {{address(kProposalKind)}, day},
        {{address(kNodeRecordKind)}, day},
        {{address(kReceiptKind)}, 365 * day},
        {{address(codec::kRelayListKind)}, 365 * day},
        {{address(kProposalKind), address(kReceiptKind)}, 365 * day},
        {{{"e", id}}, 365 * day},
        {{{"e", id}, {"k", "30510"}}, day},
        {{{"e", id}, {"k", "1059"}, {"k", "30510"}}, 7 * day},
        {{{"e", id}, {"k", "1"}}, 365 * day},
        {{{"e", id}, {"k", "nonsense"}}, 365 * day},
        {{{"e", id}, {"k", "30510"}, address(kReceiptKind)}, 365 * day},
    };
    for (const auto& [tags, life] : cases) {
        const auto wish = make_event(author, kDeletionKind, kNow, tags);
        EXPECT_EQ(deletion_end(wish), kNow + life + seconds(900)) << codec::to_json(wish);
        EXPECT_EQ(expiry_of(wish), deletion_end(wish));
    }
}

std::int64_t rows_of_deletions(const std::string& path) {
    auto database = sys::Database::open(path, sys::Durability::normal).value();
    auto count = database.prepare("SELECT count(*) FROM deletions");
    EXPECT_TRUE(count.step());
    return count.integer(0);
}

TEST_F(DeletionTest, IsForgottenAtItsEndAndNotBefore) {
    const auto path = ::testing::TempDir() + "ended_" + std::to_string(::getpid()) + ".db";
    const auto offer = make_record(author, kProposalKind, kNow, {{"d", "x"}, expires(kNow + codec::kProposalLife)});
    const auto wish = request(author, {names(author, kProposalKind, "x"), names(offer), {"k", "30510"}});
    const auto longer = request(author, {names(author, kReceiptKind, "x")});
    const auto end = deletion_end(wish->event());
    auto stored_in_file = RecordTable::open(path, {}).value();
    ASSERT_TRUE(stored_in_file.put({offer, wish, longer}, kNow));
    ASSERT_TRUE(stored_in_file.purge(end - seconds(1)));
    EXPECT_EQ(rows_of_deletions(path), 3);
    EXPECT_EQ(stored_in_file.put({offer}, kNow + codec::kProposalLife - seconds(1))->front(), PutOutcome::deleted);
    codec::Filter requests;
    requests.kinds = {kDeletionKind};
    EXPECT_THAT(*stored_in_file.find({requests}, 10, end - seconds(1)), UnorderedElementsAre(id(wish), id(longer)));
    EXPECT_THAT(*stored_in_file.find({requests}, 10, end), ElementsAre(id(longer))) << "not shown, nor reconciled";
    ASSERT_TRUE(stored_in_file.purge(end));
    EXPECT_EQ(rows_of_deletions(path), 1);
    EXPECT_EQ(stored_in_file.put({wish}, end)->front(), PutOutcome::expired) << "nobody brings it back";
    EXPECT_EQ(stored_in_file.put({offer}, end)->front(), PutOutcome::expired);
    for (const auto* suffix : {"", "-wal", "-shm"}) std::remove((path + suffix).c_str());
}

TEST_F(DeletionTest, AnEndedRequestGivesItsPlaceToAnother) {
    const auto offer_of = [&](std::uint8_t n) { return names(key_of(n), kProposalKind, "x"); };
    for (std::uint8_t n = 1; n <= 5; ++n) ASSERT_EQ(put(request(key_of(n), {offer_of(n)})), PutOutcome::stored);
    const auto later = kNow + codec::kProposalLife + seconds(900);
    const auto next = request(key_of(6), {offer_of(6)}, later);
    ASSERT_FALSE(table.put({next}, later - seconds(1))->front());
    ASSERT_TRUE(table.purge(later));
    EXPECT_EQ(table.put({next}, later)->front(), PutOutcome::stored);
}

TEST_F(DeletionTest, ARevocationMakesRoomForRequests) {
    for (std::uint8_t n = 10; n < 15; ++n) {
        ASSERT_EQ(put(request(key_of(n), {{"e", std::string(64, 'a')}})), PutOutcome::stored);
    }
    const auto next = request(author, {{"e", std::string(64, 'a')}});
    ASSERT_FALSE(table.put({next}, kNow)->front());
    ASSERT_EQ(put(make_record(key_of(10), kRevocationKind, kNow)), PutOutcome::stored);
    EXPECT_EQ(put(next), PutOutcome::stored);
}

TEST_F(DeletionTest, SurvivesARestart) {
    const auto path = ::testing::TempDir() + "deletions_" + std::to_string(::getpid()) + ".db";
    const auto record = make_record(author, 1, kNow);
    {
        auto first = RecordTable::open(path, {}).value();
        ASSERT_TRUE(first.put({request(author, {names(record)})}, kNow));
    }
    auto again = RecordTable::open(path, {}).value();
    EXPECT_EQ(again.put({record}, kNow)->front(), PutOutcome::deleted);
    for (const auto* suffix : {"", "-wal", "-shm"}) std::remove((path + suffix).c_str());
}

TEST_F(DeletionTest, IsForgottenWithARevocationExceptForGiftWraps) {
    const auto path = ::testing::TempDir() + "revoked_" + std::to_string(::getpid()) + ".db";
    const auto record = make_record(author, 1, kNow);
    const auto wrap = make_record(key_of(9), codec::kGiftWrapKind, kNow, {{"p", author.node_key().hex()}});
    const auto wish = request(author, {names(record), names(wrap), names(author, kProposalKind, "x")});
    const auto of_other = request(other, {names(wrap)});
    {
        auto table_of_file = RecordTable::open(path, {}).value();
        ASSERT_TRUE(table_of_file.put({record, wrap, wish, of_other}, kNow));
    }
    EXPECT_EQ(rows_of_deletions(path), 5);
    {
        auto table_of_file = RecordTable::open(path, {}).value();
        const auto outcomes = table_of_file.put({make_record(author, kRevocationKind, kNow), wrap}, kNow);
        ASSERT_TRUE(outcomes);
        EXPECT_EQ(outcomes->front(), PutOutcome::stored);
        EXPECT_EQ(outcomes->back(), PutOutcome::deleted);
    }
    EXPECT_EQ(rows_of_deletions(path), 2) << "the wrap, and what the other author asked for";
    for (const auto* suffix : {"", "-wal", "-shm"}) std::remove((path + suffix).c_str());
}

TEST(DeletionTargets, AreWhatIsWellFormedAndTheAuthorsOwn) {
    const auto author = key_of(1);
    const auto mine = author.node_key().hex();
    const std::string hex(64, 'a');
    const auto event = make_event(author, kDeletionKind, kNow,
                                  {{"e", hex},
                                   {"e"},
                                   {"e", "a"},
                                   {"e", "0x" + std::string(62, 'a')},
                                   {"a", "30510:" + mine + ":a:b"},
                                   {"a", "10002:" + mine + ":ignored"},
                                   {"a", "1:" + mine + ":"},
                                   {"a", "20510:" + mine + ":"},
                                   {"a", "70000:" + mine + ":"},
                                   {"a", "30510:" + hex + ":x"},
                                   {"a", "30510:" + mine},
                                   {"a", ":" + mine + ":x"},
                                   {"a", ""},
                                   {"p", hex}});
    const auto targets = deletion_targets(event);
    EXPECT_EQ(targets.ids, std::vector<Hash32>{*Hash32::parse(hex)});
    const std::vector<RecordAddress> expected = {{30'510, author.node_key(), "a:b"}, {10'002, author.node_key(), ""}};
    EXPECT_EQ(targets.addresses, expected);
}

/// A node with a relay of its own that replicates with a peer.
struct Peer {
    Peer(World& world, RelayUrl url) {
        FullNetwork::Settings settings;
        settings.peers = quick_set({std::move(url)});
        network =
            std::make_unique<FullNetwork>(world.loop.executor(), hub, world.clock, world.rng, world.workers, settings);
    }
    std::unique_ptr<SqliteRecordStore> store = open_store();
    SystemClock clock;
    RecordHub hub{*store, clock, AdmissionPolicy{}};
    std::unique_ptr<FullNetwork> network;
};

Task<std::size_t> count(RecordHub& hub, std::uint32_t kind) {
    codec::Filter filter;
    filter.kinds = {kind};
    std::vector<codec::Filter> filters(1, filter);
    auto found = co_await hub.find(std::move(filters), 100);
    co_return found ? found->size() : 100;
}

Task<> until_count(RecordHub& hub, std::uint32_t kind, std::size_t wanted) {
    for (;;) {
        const auto counted = co_await count(hub, kind);
        if (counted == wanted) co_return;
        co_await sleep_for(milliseconds(5));
    }
}

Task<> delete_everywhere(World& world, TestRelay& relay, Peer& peer) {
    const auto author = key_of(1);
    const auto now = world.now();
    const auto offer = *Record::verify(make_proposal(author, now));
    // Both hold the record; the request is made while they are apart.
    auto receipt = co_await relay.hub.submit(offer);
    EXPECT_TRUE(receipt.fresh);
    receipt = co_await peer.hub.submit(offer);
    EXPECT_TRUE(receipt.fresh);
    const auto first_wish = request(author, {names(author, kProposalKind, "wireguard")}, now);
    receipt = co_await relay.hub.submit(first_wish);
    EXPECT_TRUE(receipt.fresh);
    world.loop.group.spawn("network", peer.network->run());
    co_await until_count(peer.hub, kDeletionKind, 1);
    co_await until_count(peer.hub, kProposalKind, 0);
    receipt = co_await peer.hub.submit(offer);
    EXPECT_FALSE(receipt.accepted);
    EXPECT_EQ(receipt.message, "blocked: the author has deleted this record");
    // While they are connected, a request is passed on as any record is.
    const auto next = *Record::verify(make_proposal(author, now + seconds(1)));
    receipt = co_await relay.hub.submit(next);
    EXPECT_TRUE(receipt.fresh);
    co_await until_count(peer.hub, kProposalKind, 1);
    const auto second_wish = request(author, {names(next)}, now + seconds(1));
    receipt = co_await relay.hub.submit(second_wish);
    EXPECT_TRUE(receipt.fresh);
    co_await until_count(peer.hub, kProposalKind, 0);
    const auto left = co_await count(relay.hub, kProposalKind);
    EXPECT_EQ(left, 0U);
}

TEST(Deletion, ReachesEveryNodeAndWhatIsDeletedDoesNotComeBack) {
    World world;
    TestRelay relay(world);
    relay.start();
    Peer peer(world, relay.url());
    world.loop.run(delete_everywhere(world, relay, peer));
}

}  // namespace
}  // namespace myst::db::test
