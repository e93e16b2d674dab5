// What providers have set aside, and taking it back. The chain is a fake.
#include "myst/node/reservations.hpp"

#include "myst/chain/lanes_contract.hpp"
#include "myst/node/test_support/wallet_fixture.hpp"

namespace myst::node::test {
namespace {

class ReservationsTest : public WalletTest {
protected:
    /// This node has promised `total` to a provider, of whose lane the chain says `lane`.
    void promise(Address provider, std::uint64_t total, ports::LaneState lane) {
        const codec::SignedVoucher voucher{{provider, lane.epoch, Amount(total), Amount(total)}, {}};
        EXPECT_TRUE(run(node_.ledger->record_issued({signer_, voucher, SessionId{{provider.bytes[0]}}})));
        world_.chain.lanes[{signer_, provider}] = lane;
    }

    const Address near_{{1}};
    const Address far_{{2}};
    const Address idle_{{3}};
    ports::LaneState& lane_ = world_.chain.lanes[{signer_, near_}];
};

TEST_F(ReservationsTest, AreListedLargestFirstAndWithoutThoseOfNoConsequence) {
    const UnixTime soon = world_.clock.unix_now() + seconds(60);
    promise(near_, 150, {Amount(100), Amount(120), {}, 0});
    promise(far_, 70, {Amount(70), Amount(500), soon, 2});
    promise(idle_, 40, {Amount(40), Amount(40), {}, 0});
    const auto listed = run(node_.node->wallet_reservations());
    ASSERT_TRUE(listed) << listed.error().describe();
    ASSERT_EQ(listed->size(), 2U);
    EXPECT_EQ((*listed)[0].provider, far_);
    EXPECT_EQ((*listed)[0].reserved, Amount(430));
    EXPECT_EQ((*listed)[0].promised, Amount(0));
    EXPECT_EQ((*listed)[0].available_at, soon);
    EXPECT_EQ((*listed)[1].provider, near_);
    EXPECT_EQ((*listed)[1].reserved, Amount(20));
    EXPECT_EQ((*listed)[1].promised, Amount(50));
    EXPECT_EQ((*listed)[1].available_at, UnixTime{});
}

TEST_F(ReservationsTest, VouchersOfAnEndedEpochPromiseNothing) {
    promise(near_, 150, {Amount(0), Amount(0), {}, 0});
    lane_.epoch = 1;
    const auto listed = run(node_.node->wallet_reservations());
    ASSERT_TRUE(listed);
    EXPECT_TRUE(listed->empty());
}

TEST_F(ReservationsTest, AReleaseIsAnnouncedAndDoneAfterTheWindow) {
    promise(near_, 100, {Amount(100), Amount(600), {}, 0});
    const auto announced = run(node_.node->wallet_release(near_));
    ASSERT_TRUE(announced) << announced.error().describe();
    EXPECT_FALSE(announced->released);
    EXPECT_EQ(announced->amount, Amount(500));
    EXPECT_EQ(announced->available_at, UnixTime(seconds(60))) << "the block's time and the window";
    EXPECT_EQ(world_.sent.back().data, chain::call::request_release(signer_, near_));

    lane_.release_at = world_.clock.unix_now() + seconds(60);
    const auto early = run(node_.node->wallet_release(near_));
    ASSERT_FALSE(early);
    EXPECT_EQ(early.error().code, ErrorCode::failed_precondition);
    EXPECT_EQ(early.error().cure, "repeat the command after " + utc_text(lane_.release_at));
    EXPECT_EQ(world_.sent.size(), 1U);

    lane_.release_at = world_.clock.unix_now() - seconds(1);
    const auto done = run(node_.node->wallet_release(near_));
    ASSERT_TRUE(done) << done.error().describe();
    EXPECT_TRUE(done->released);
    EXPECT_EQ(done->amount, Amount(500));
    EXPECT_EQ(kinds_sent(), (std::vector<std::string>{"request-release", "release"}));
    EXPECT_EQ(world_.sent.back().data, chain::call::release(signer_, near_));
}

TEST_F(ReservationsTest, ALaneOnWhichNothingCanHappenIsNotReleased) {
    promise(near_, 100, {Amount(100), Amount(100), {}, 0});
    const auto refused = run(node_.node->wallet_release(near_));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::failed_precondition);
    EXPECT_FALSE(run(node_.node->wallet_release(far_))) << "a stranger";
    EXPECT_TRUE(world_.sent.empty());
    promise(near_, 101, {Amount(100), Amount(100), {}, 0});
    EXPECT_TRUE(run(node_.node->wallet_release(near_))) << "makes void what the provider has not drawn";
}

}  // namespace
}  // namespace myst::node::test
