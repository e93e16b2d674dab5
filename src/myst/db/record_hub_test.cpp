#include "myst/db/record_hub.hpp"

#include "myst/db/relay_fixtures.hpp"

namespace myst::db::test {
namespace {

class RecordHubTest : public ::testing::Test {
protected:
    Receipt submit(const SharedRecord& record) {
        Receipt receipt;
        loop.run(submit_into(record, receipt));
        return receipt;
    }
    /// A follower that counts what it gets.
    std::unique_ptr<ports::Subscription> follow(std::vector<codec::Filter> filters, int& count) {
        return hub.follow(std::move(filters), [&count](const SharedRecord&) { ++count; });
    }
    SharedRecord envelope(std::uint8_t to) {
        return verified(make_envelope(key_of(1), key_of(to).node_key(), now, ""));
    }
    SharedRecord proposal(std::uint8_t from) { return verified(make_proposal(key_of(from), now)); }
    static codec::Filter mailbox(std::uint8_t owner) {
        codec::Filter filter;
        filter.kinds = {kEnvelopeKind};
        filter.tags['p'] = {key_of(owner).node_key().hex()};
        return filter;
    }
    static codec::Filter kinds(std::vector<std::uint32_t> wanted) {
        codec::Filter filter;
        filter.kinds = std::move(wanted);
        return filter;
    }

    Loop loop;
    SystemClock clock;
    UnixTime now = clock.unix_now();
    std::unique_ptr<SqliteRecordStore> store = open_store();
    RecordHub hub{*store, clock, AdmissionPolicy{}};

private:
    static SharedRecord verified(codec::Event event) { return *Record::verify(std::move(event)); }
    Task<> submit_into(SharedRecord record, Receipt& receipt) { receipt = co_await hub.submit(std::move(record)); }
};

TEST_F(RecordHubTest, AnEnvelopeIsComparedWithItsRecipientsFiltersOnly) {
    int own = 0;
    int others = 0;
    std::vector<std::unique_ptr<ports::Subscription>> following;
    for (int i = 0; i < 1'000; ++i) {
        following.push_back(follow({mailbox(3), kinds({kProposalKind}), kinds({kEnvelopeKind})}, others));
    }
    following.push_back(follow({mailbox(2)}, own));
    const auto receipt = submit(envelope(2));
    EXPECT_EQ(receipt.compared, 1U);
    EXPECT_EQ(receipt.delivered, 1U);
    EXPECT_EQ(own, 1);
    EXPECT_EQ(others, 0);
}

TEST_F(RecordHubTest, AStoredRecordIsComparedWithTheFiltersOfItsKindOnly) {
    int by_kind = 0;
    int by_anything = 0;
    int others = 0;
    const auto first = follow({kinds({1, kProposalKind})}, by_kind);
    const auto second = follow({codec::Filter{}}, by_anything);
    const auto third = follow({kinds({1}), kinds({2}), mailbox(2)}, others);
    EXPECT_EQ(submit(proposal(1)).compared, 2U);
    EXPECT_EQ(by_kind, 1);
    EXPECT_EQ(by_anything, 1);
    EXPECT_EQ(others, 0);
}

TEST_F(RecordHubTest, EnvelopesAreShownOnlyToThoseWhoNameTheRecipient) {
    int count = 0;
    const auto all = follow({codec::Filter{}, kinds({kEnvelopeKind})}, count);
    EXPECT_EQ(submit(envelope(2)).delivered, 0U);
    EXPECT_EQ(count, 0);
}

TEST_F(RecordHubTest, AFollowerGetsARecordOnceAndNothingAfterItsEnd) {
    int count = 0;
    auto following = follow({kinds({kProposalKind}), codec::Filter{}, kinds({kProposalKind, kProposalKind})}, count);
    EXPECT_EQ(hub.followers(), 1U);
    EXPECT_EQ(submit(proposal(1)).delivered, 1U);
    EXPECT_EQ(count, 1);
    following.reset();
    EXPECT_EQ(hub.followers(), 0U);
    const auto receipt = submit(proposal(2));
    EXPECT_TRUE(receipt.fresh);
    EXPECT_EQ(receipt.compared, 0U);
    EXPECT_EQ(count, 1);
}

TEST_F(RecordHubTest, ACallbackMayEndAnyFollower) {
    int count = 0;
    std::vector<std::unique_ptr<ports::Subscription>> following;
    for (int i = 0; i < 2; ++i) {
        following.push_back(hub.follow({kinds({kProposalKind})}, [&](const SharedRecord&) {
            ++count;
            following.clear();
        }));
    }
    EXPECT_EQ(submit(proposal(1)).delivered, 1U);
    EXPECT_EQ(count, 1);
}

}  // namespace
}  // namespace myst::db::test
