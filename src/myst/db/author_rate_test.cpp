// How often an author may publish, and what becomes of what came too often.
#include "myst/db/author_rate.hpp"

#include <gmock/gmock.h>

#include "myst/codec/proof_of_work.hpp"
#include "myst/db/fake_registry.hpp"
#include "myst/db/replication_fixtures.hpp"

namespace myst::db::test {
namespace {

constexpr unsigned kBits = 4;
const std::string kTooOften = "rate-limited: this author publishes too often; try again in some minutes";

TEST(AuthorRate, IsABurstAndThenOneInAWhile) {
    ManualClock clock;
    AuthorRate rate({3, milliseconds(1'000)});
    const auto author = key_of(1).node_key();
    const auto take = [&](const NodeKey& key) { return rate.take(key, clock.now()); };
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(take(author));
    EXPECT_FALSE(take(author));
    EXPECT_TRUE(take(key_of(2).node_key())) << "each author has his own";
    clock.advance(milliseconds(999));
    EXPECT_FALSE(take(author)) << "what is refused costs nothing";
    clock.advance(milliseconds(1));
    EXPECT_TRUE(take(author));
    EXPECT_FALSE(take(author));
    clock.advance(seconds(3'600));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(take(author));
    EXPECT_FALSE(take(author)) << "no more than the burst is saved up";
    rate.give_back(author);
    EXPECT_TRUE(take(author));
}

TEST(AuthorRate, ForgetsWhoHasBeenKnownForLongest) {
    ManualClock clock;
    AuthorRate rate({1, milliseconds(1'000)}, 2);
    const auto take = [&](std::uint8_t n) { return rate.take(key_of(n).node_key(), clock.now()); };
    EXPECT_TRUE(take(1));
    EXPECT_TRUE(take(2));
    EXPECT_FALSE(take(1));
    EXPECT_TRUE(take(3));
    EXPECT_FALSE(take(2));
    EXPECT_FALSE(take(3));
    EXPECT_TRUE(take(1)) << "forgotten";
}

class RateTest : public ::testing::Test {
protected:
    std::string submit(SharedRecord record) {
        std::string answer;
        loop.run(submit_into(std::move(record), answer));
        return answer;
    }
    /// The n-th version of the author's offer, with work.
    SharedRecord version(const crypto::PrivateKey& author, int n) {
        auto event = make_proposal(author, clock.unix_now() - seconds(100 - n));
        EXPECT_TRUE(codec::add_work(event, kBits, 0, 1U << 20));
        codec::sign_event(event, author, Hash32{});
        return Record::verify(std::move(event)).value();
    }
    static AdmissionPolicy policy() {
        AdmissionPolicy policy;
        policy.min_pow_bits = kBits;
        policy.registered_rate = {5, milliseconds(10'000)};
        policy.stranger_rate = {2, milliseconds(60'000)};
        return policy;
    }
    const crypto::PrivateKey provider = key_of(1);
    const crypto::PrivateKey stranger = key_of(2);
    Loop loop;
    ManualClock clock;
    FakeRegistry registry;
    std::unique_ptr<SqliteRecordStore> store = open_store();
    RecordHub hub{*store, clock, policy(), &registry};

private:
    Task<> submit_into(SharedRecord record, std::string& answer) {
        auto receipt = co_await hub.submit(std::move(record));
        EXPECT_EQ(receipt.later, receipt.message == kTooOften);
        answer = receipt.accepted && receipt.fresh ? "accepted" : receipt.message;
    }
};

TEST_F(RateTest, OfNewVersionsIsHighForTheRegisteredAndLowForStrangers) {
    registry.keys.insert(provider.node_key());
    for (int n = 0; n < 5; ++n) EXPECT_EQ(submit(version(provider, n)), "accepted");
    EXPECT_EQ(submit(version(provider, 5)), kTooOften);
    for (int n = 0; n < 2; ++n) EXPECT_EQ(submit(version(stranger, n)), "accepted");
    EXPECT_EQ(submit(version(stranger, 2)), kTooOften);
    clock.advance(seconds(10));
    EXPECT_EQ(submit(version(provider, 15)), "accepted");
    EXPECT_EQ(submit(version(stranger, 12)), kTooOften);
    clock.advance(seconds(50));
    EXPECT_EQ(submit(version(stranger, 62)), "accepted");
}

TEST_F(RateTest, CountsOnlyWhatIsStored) {
    const auto newest = version(stranger, 50);
    EXPECT_EQ(submit(newest), "accepted");
    for (int n = 0; n < 10; ++n) {
        EXPECT_EQ(submit(version(stranger, n)), "duplicate: a newer version of this record is here already");
        EXPECT_EQ(submit(newest), "duplicate: this record is here already");
    }
    EXPECT_EQ(submit(version(stranger, 51)), "accepted");
}

TEST_F(RateTest, DoesNotKeepOutTheRevocationOfAKeyThatAThiefWearsOut) {
    for (int n = 0; n < 2; ++n) EXPECT_EQ(submit(version(stranger, n)), "accepted");
    EXPECT_EQ(submit(version(stranger, 2)), kTooOften);
    auto revocation = make_event(stranger, kRevocationKind, clock.unix_now());
    EXPECT_TRUE(codec::add_work(revocation, kBits, 0, 1U << 20));
    codec::sign_event(revocation, stranger, Hash32{});
    EXPECT_EQ(submit(Record::verify(revocation).value()), "accepted");
}

TEST_F(RateTest, LetsAWholeShareInAtOnce) {
    const AdmissionPolicy usual;
    const StoreLimits limits;
    EXPECT_GE(usual.registered_rate.burst, limits.records_per_author + limits.deletions_per_author);
    EXPECT_GE(usual.stranger_rate.burst, limits.stranger.records + limits.stranger.deletions);
}

/// Two versions at a relay, of which the follower takes one, and the other when its time has come.
Task<> catch_up(World& world, TestRelay& relay, Follower& follower) {
    const auto older = Record::verify(make_proposal(key_of(1), world.now() - seconds(10))).value();
    const auto newest = Record::verify(make_proposal(key_of(1), world.now() - seconds(9))).value();
    auto receipt = co_await follower.hub.submit(older);
    EXPECT_TRUE(receipt.fresh);
    receipt = co_await relay.hub.submit(newest);
    EXPECT_TRUE(receipt.fresh);
    // A comparison is over when what only the follower has is at the relay.
    co_await put_all(*follower.store, series(world.now(), 0, 1), world.now());
    world.loop.group.spawn("network", follower.network->run());
    co_await until_it_has(relay.hub, 2);
    auto content = co_await content_of(follower.hub);
    const auto has = [&](const SharedRecord& record) {
        return std::any_of(content.begin(), content.end(),
                           [&](const auto& item) { return item.id == record->event().id; });
    };
    EXPECT_TRUE(has(older) && !has(newest));
    world.clock.advance_all(seconds(600));
    while (!has(newest)) {
        co_await sleep_for(milliseconds(5));
        content = co_await content_of(follower.hub);
    }
}

TEST(AuthorRateOfAPeer, DelaysTheNewestVersionAndDoesNotLoseIt) {
    World world;
    TestRelay relay(world);
    relay.start();
    AdmissionPolicy slow;
    slow.registered_rate = {1, milliseconds(600'000)};
    Follower follower(world, {relay.url()}, milliseconds(30), milliseconds(10'000), slow);
    world.loop.run(catch_up(world, relay, follower));
}

}  // namespace
}  // namespace myst::db::test
