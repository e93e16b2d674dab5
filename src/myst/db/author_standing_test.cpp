// Whose records are taken without work, and how many of them.
#include "myst/db/author_standing.hpp"

#include "myst/codec/proof_of_work.hpp"
#include "myst/db/fake_registry.hpp"
#include "myst/db/relay_fixtures.hpp"

namespace myst::db::test {
namespace {

constexpr unsigned kBits = 8;

/// Signed again, with work.
SharedRecord mined(codec::Event event, const crypto::PrivateKey& key, unsigned bits = kBits) {
    event.pubkey = key.node_key();
    EXPECT_TRUE(codec::add_work(event, bits, 0, 1U << 20));
    codec::sign_event(event, key, Hash32{});
    return *Record::verify(std::move(event));
}

AdmissionPolicy asking_for_work() {
    AdmissionPolicy policy;
    policy.kinds = {1, kProposalKind, kEnvelopeKind, kDeletionKind};
    policy.min_pow_bits = kBits;
    return policy;
}

class StandingTest : public ::testing::Test {
protected:
    Standing standing(const crypto::PrivateKey& author) {
        auto result = Standing::registered;
        loop.run(ask(author.node_key(), result));
        return result;
    }
    std::string submit(RecordHub& to, SharedRecord record) {
        Receipt receipt;
        loop.run(submit_into(to, std::move(record), receipt));
        return receipt.accepted ? "accepted" : receipt.message;
    }
    std::string submit(SharedRecord record) { return submit(hub, std::move(record)); }
    SharedRecord note(const crypto::PrivateKey& author, int number) const {
        return *Record::verify(make_event(author, 1, now, {}, std::to_string(number)));
    }
    SharedRecord mined_note(const crypto::PrivateKey& author, int number) const {
        return mined(note(author, number)->event(), author);
    }

    const crypto::PrivateKey provider = key_of(1);
    const crypto::PrivateKey stranger = key_of(2);
    Loop loop;
    ManualClock time{at(1'700'000'000)};
    SystemClock clock;
    UnixTime now = clock.unix_now();
    FakeRegistry registry;
    AuthorStanding authors{&registry, time};
    std::unique_ptr<SqliteRecordStore> store = open_store();
    RecordHub hub{*store, clock, asking_for_work(), &registry};

    template <class Author>
    Task<> ask_all(Author author, std::uint32_t from, std::uint32_t to) {
        for (; from < to; ++from) std::ignore = co_await authors.of(author(from));
    }

private:
    Task<> ask(NodeKey author, Standing& result) { result = co_await authors.of(author); }
    static Task<> submit_into(RecordHub& to, SharedRecord record, Receipt& receipt) {
        receipt = co_await to.submit(std::move(record));
    }
};

TEST_F(StandingTest, IsAskedForOnceInAWhile) {
    registry.keys.insert(provider.node_key());
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(standing(provider), Standing::registered);
        EXPECT_EQ(standing(stranger), Standing::stranger);
    }
    EXPECT_EQ(registry.asked, 2);
    registry.keys = {stranger.node_key()};
    time.advance(seconds(14));
    EXPECT_EQ(standing(stranger), Standing::stranger);
    time.advance(seconds(1));
    EXPECT_EQ(standing(stranger), Standing::registered) << "who registers does not wait long";
    EXPECT_EQ(standing(provider), Standing::registered);
    time.advance(seconds(300));
    EXPECT_EQ(standing(provider), Standing::stranger);
}

TEST_F(StandingTest, IsWhatItWasWhileTheRegistryCannotBeRead) {
    registry.keys.insert(provider.node_key());
    EXPECT_EQ(standing(provider), Standing::registered);
    registry.unavailable = true;
    time.advance(seconds(1'000));
    EXPECT_EQ(standing(provider), Standing::registered);
    EXPECT_EQ(standing(stranger), Standing::stranger);
    registry.unavailable = false;
    registry.keys = {stranger.node_key()};
    EXPECT_EQ(standing(stranger), Standing::registered) << "what could not be read is not remembered";
    EXPECT_EQ(standing(provider), Standing::stranger);
}

TEST_F(StandingTest, IsRememberedOfSixteenThousandAuthors) {
    const auto author = [](std::uint32_t n) {
        NodeKey key;
        for (std::size_t i = 0; i < 4; ++i) key.bytes[i] = static_cast<std::uint8_t>(n >> (8 * i));
        return key;
    };
    const auto ask = [&](std::uint32_t from, std::uint32_t to) { loop.run(ask_all(author, from, to)); };
    ask(1, 16'385);
    EXPECT_EQ(registry.asked, 16'384);
    ask(1, 16'385);
    EXPECT_EQ(registry.asked, 16'384);
    ask(20'000, 20'001);
    ask(2, 16'385);
    EXPECT_EQ(registry.asked, 16'385);
    ask(1, 2);
    EXPECT_EQ(registry.asked, 16'386) << "the first was forgotten";
}

TEST_F(StandingTest, WithoutARegistryEverybodyIsAStranger) {
    RecordHub alone(*store, clock, asking_for_work());
    EXPECT_EQ(submit(alone, note(provider, 1)).substr(0, 4), "pow:");
    EXPECT_EQ(submit(alone, mined_note(provider, 1)), "accepted");
}

TEST_F(StandingTest, OfAStrangerAsksForWorkAndGivesASmallShare) {
    EXPECT_EQ(submit(note(stranger, 0)),
              "pow: difficulty 0 is less than 8, which authors need who are not registered on chain");
    EXPECT_EQ(submit(mined(note(stranger, 0)->event(), stranger, kBits - 1)).substr(0, 17), "pow: difficulty 7");
    const auto share = StoreLimits{}.stranger;
    for (std::size_t i = 0; i < share.records; ++i) {
        EXPECT_EQ(submit(mined_note(stranger, static_cast<int>(i))), "accepted");
    }
    EXPECT_EQ(submit(mined_note(stranger, 1'000)), "rate-limited: this author has too many records here");
    for (std::size_t i = 0; i <= share.deletions; ++i) {
        const auto id = note(stranger, static_cast<int>(i))->event().id.hex();
        const auto answer = submit(mined(make_event(stranger, kDeletionKind, now, {{"e", id}}), stranger));
        EXPECT_EQ(answer,
                  i < share.deletions ? "accepted" : "rate-limited: this author has too many deletion requests here");
    }
}

TEST_F(StandingTest, OfAStrangerLeavesRoomForFewNames) {
    const auto share = StoreLimits{}.stranger;
    for (std::size_t i = 0; i <= share.names; ++i) {
        std::vector<codec::Tag> tags = {{"d", "service-" + std::to_string(i)}, expires(now + seconds(3600))};
        const auto answer = submit(mined(make_event(stranger, kProposalKind, now, std::move(tags)), stranger));
        EXPECT_EQ(answer,
                  i < share.names ? "accepted" : "rate-limited: this author has too many names of this kind here");
    }
}

TEST_F(StandingTest, OfARegisteredProviderAsksForNothingAndGivesTheFullShare) {
    registry.keys.insert(provider.node_key());
    const auto more_than_strangers = static_cast<int>(StoreLimits{}.stranger.records * 3);
    for (int i = 0; i < more_than_strangers; ++i) EXPECT_EQ(submit(note(provider, i)), "accepted");
    EXPECT_EQ(registry.asked, 1);
}

TEST_F(StandingTest, DoesNotMatterForEnvelopes) {
    const auto envelope = make_envelope(stranger, provider.node_key(), now, "");
    EXPECT_EQ(submit(*Record::verify(envelope)), "accepted");
    EXPECT_EQ(registry.asked, 0);
}

TEST_F(StandingTest, DoesNotMatterWhereNoWorkIsAskedFor) {
    auto policy = asking_for_work();
    policy.min_pow_bits = 0;
    RecordHub open(*store, clock, policy, &registry);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(submit(open, note(stranger, i)), "accepted");
    EXPECT_EQ(registry.asked, 0);
}

}  // namespace
}  // namespace myst::db::test
