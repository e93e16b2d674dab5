#include <gmock/gmock.h>

#include "myst/db/record_hub.hpp"
#include "myst/db/relay_fixtures.hpp"

namespace myst::db::test {
namespace {

using ::testing::HasSubstr;

class Revocation : public ::testing::Test {
protected:
    Receipt submit_to(RecordHub& where, codec::Event event) {
        Receipt receipt;
        loop.run(submit_into(where, *Record::verify(std::move(event)), receipt));
        return receipt;
    }
    Receipt submit(codec::Event event) { return submit_to(hub, std::move(event)); }
    /// Records of an author that a query sees, newest first.
    std::vector<std::uint32_t> kinds_of(std::uint8_t author) {
        std::vector<std::uint32_t> kinds;
        loop.run(query_into(author, kinds));
        return kinds;
    }
    codec::Event proposal(std::uint8_t author, seconds ahead = {}) {
        return make_proposal(key_of(author), now + ahead);
    }
    codec::Event deletion(std::uint8_t author, std::vector<codec::Tag> tags) {
        return make_event(key_of(author), kDeletionKind, now, std::move(tags));
    }
    codec::Event revocation(std::uint8_t author, seconds ahead = {}) {
        return make_event(key_of(author), kRevocationKind, now + ahead, {}, "stolen");
    }

    Loop loop;
    SystemClock clock;
    UnixTime now = clock.unix_now();
    std::unique_ptr<SqliteRecordStore> store = open_store();
    RecordHub hub{*store, clock, AdmissionPolicy{}};

private:
    static Task<> submit_into(RecordHub& where, SharedRecord record, Receipt& receipt) {
        receipt = co_await where.submit(std::move(record));
    }
    Task<> query_into(std::uint8_t author, std::vector<std::uint32_t>& kinds) {
        std::vector<codec::Filter> filters(1);
        filters.front().authors = {key_of(author).node_key()};
        auto found = co_await hub.query(std::move(filters), QueryLimits{});
        EXPECT_TRUE(found);
        for (const auto& record : *found) kinds.push_back(record->event().kind);
    }
};

TEST_F(Revocation, TakesTheProposalsOfItsAuthorAndNoOthers) {
    const auto taken = proposal(1);
    ASSERT_TRUE(submit(taken).fresh);
    ASSERT_TRUE(submit(proposal(2)).fresh);
    int heard = 0;
    codec::Filter all;
    const auto following = hub.follow({all}, [&](const SharedRecord&) { ++heard; });
    ASSERT_TRUE(submit(revocation(1)).fresh);
    EXPECT_EQ(heard, 1) << "it is told to followers";
    EXPECT_EQ(kinds_of(1), (std::vector<std::uint32_t>{kRevocationKind}));
    EXPECT_EQ(kinds_of(2), (std::vector<std::uint32_t>{kProposalKind}));
    const auto again = submit(taken);
    EXPECT_FALSE(again.accepted) << "it is not here any more";
    EXPECT_EQ(again.message, "blocked: the author has revoked this key");
}

TEST_F(Revocation, NothingOfItsAuthorIsTakenFromThenOn) {
    ASSERT_TRUE(submit(revocation(1)).fresh);
    for (const auto ahead : {seconds(-60), seconds(0), seconds(50)}) {
        const auto receipt = submit(proposal(1, ahead));
        EXPECT_FALSE(receipt.accepted);
        EXPECT_THAT(receipt.message, HasSubstr("blocked: the author has revoked this key"));
    }
    EXPECT_TRUE(submit(proposal(2)).fresh);
    EXPECT_TRUE(submit(make_envelope(key_of(1), key_of(2).node_key(), now, "")).accepted) << "envelopes pass";
    EXPECT_TRUE(submit(revocation(1, seconds(1))).fresh) << "a later one replaces it";
    EXPECT_FALSE(submit(proposal(1)).accepted);
    EXPECT_EQ(kinds_of(1).size(), 1U);
}

/// Names the revocation by its id and by its address, and a record besides.
std::vector<codec::Tag> names(const codec::Event& revocation) {
    return {{"e", revocation.id.hex()},
            {"a", std::to_string(kRevocationKind) + ":" + revocation.pubkey.hex() + ":"},
            {"e", std::string(64, 'a')}};
}

TEST_F(Revocation, CannotBePreventedByADeletionRequest) {
    const auto wish = revocation(1);
    ASSERT_TRUE(submit(deletion(1, names(wish))).fresh);
    EXPECT_TRUE(submit(wish).fresh);
    EXPECT_EQ(kinds_of(1), (std::vector<std::uint32_t>{kRevocationKind}));
}

TEST_F(Revocation, CannotBeTakenBackByADeletionRequest) {
    const auto wish = revocation(1);
    ASSERT_TRUE(submit(wish).fresh);
    EXPECT_FALSE(submit(deletion(1, names(wish))).accepted);
    EXPECT_EQ(kinds_of(1), (std::vector<std::uint32_t>{kRevocationKind}));
}

TEST_F(Revocation, ThatIsRefusedLeavesEverythingAsItIs) {
    ASSERT_TRUE(submit(revocation(1, seconds(1))).fresh);
    EXPECT_FALSE(submit(revocation(1)).accepted) << "an older one";
    EXPECT_EQ(kinds_of(1), (std::vector<std::uint32_t>{kRevocationKind}));
    auto expired = make_event(key_of(2), kRevocationKind, now, {expires(now - seconds(1))});
    ASSERT_TRUE(submit(proposal(2)).fresh);
    EXPECT_FALSE(submit(std::move(expired)).accepted);
    EXPECT_EQ(kinds_of(2), (std::vector<std::uint32_t>{kProposalKind}));
}

TEST_F(Revocation, MakesRoomForItselfInAFullStore) {
    SqliteRecordStore::Settings settings;
    settings.path = ":memory:";
    settings.limits.records = 2;
    auto small = SqliteRecordStore::open(std::move(settings));
    ASSERT_TRUE(small);
    RecordHub full(**small, clock, AdmissionPolicy{});
    ASSERT_TRUE(submit_to(full, proposal(1)).fresh);
    ASSERT_TRUE(submit_to(full, proposal(2)).fresh);
    ASSERT_FALSE(submit_to(full, proposal(3)).fresh);
    EXPECT_TRUE(submit_to(full, revocation(1)).fresh);
}

}  // namespace
}  // namespace myst::db::test
