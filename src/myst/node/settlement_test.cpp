// Which vouchers are settled, when, and in how many transactions. Chain, relays and tunnel are fakes.
#include "myst/node/settlement.hpp"

#include <gtest/gtest.h>

#include "myst/chain/lanes_contract.hpp"
#include "myst/node/test_support/fake_world.hpp"
#include "myst/pay/ticks.hpp"

namespace myst::node::test {
namespace {

constexpr milliseconds kPatience{10'000};

Address payer(std::uint8_t number) {
    return Address{{number}};
}

class SettlementTest : public testing::Test {
protected:
    SettlementTest() {
        auto settings = provider_settings();
        settings.provider.risk_limit = Amount(1000);
        settings.provider.settlement.look = milliseconds(1);
        node_ = std::make_unique<TestNode>(world_, "provider", std::move(settings));
        payee_ = node_->keys->wallet()->address();
    }
    ~SettlementTest() override { EXPECT_TRUE(world_.run(node_->node->shut_down())); }

    /// The provider holds a voucher of this payer, who has `free` in its account.
    codec::SignedVoucher hold(Address signer, std::uint64_t total, std::uint64_t free, std::uint32_t epoch = 0) {
        world_.chain.accounts[signer].free = Amount(free);
        const codec::SignedVoucher voucher{{payee_, epoch, Amount(total), Amount(total)}, {}};
        EXPECT_TRUE(world_.run(keep({signer, voucher, SessionId{}})));
        return voucher;
    }
    Task<> keep(ports::HeldVoucher held) {
        ports::SessionRecord session;
        std::copy(held.signer.bytes.begin(), held.signer.bytes.begin() + 16, session.id.bytes.begin());
        session.signer = held.signer;
        session.provider = payee_;
        auto kept = co_await node_->ledger->keep_voucher(held, std::move(session));
        EXPECT_TRUE(kept);
    }
    Result<SettleResult> settle() {
        Result<SettleResult> result;
        EXPECT_TRUE(world_.run(settle_into(result)));
        return result;
    }
    Task<> settle_into(Result<SettleResult>& result) { result = co_await node_->node->provider_settle(); }
    /// Lets the node look at its vouchers until a transaction was sent, or several times in vain.
    Task<> look(std::size_t sent) {
        std::size_t reads = 0;
        world_.chain.out_of_reach = [&reads] {
            ++reads;
            return false;
        };
        const auto deadline = world_.clock.now() + kPatience;
        while (world_.sent.size() < sent && reads < 20 && world_.clock.now() < deadline) {
            co_await sleep_for(milliseconds(1));
        }
        world_.chain.out_of_reach = [] { return false; };
    }
    Task<> wait_until_sent() {
        const auto deadline = world_.clock.now() + kPatience;
        while (world_.sent.empty() && world_.clock.now() < deadline) co_await sleep_for(milliseconds(1));
    }
    ports::LaneState& lane(Address signer) { return world_.chain.lanes[{signer, payee_}]; }

    World world_;
    std::unique_ptr<TestNode> node_;
    Address payee_;
};

TEST_F(SettlementTest, ABatchHasFiftyVouchersAndItsFeeIsTakenOnce) {
    std::vector<codec::SignedVoucher> vouchers;
    for (std::uint8_t i = 1; i <= 120; ++i) vouchers.push_back(hold(payer(static_cast<std::uint8_t>(i)), 10, 100));
    std::uint8_t next = 1;
    world_.on_mined = [&](const ports::TxIntent&) {
        for (int i = 0; i < 50 && next <= 120; ++i, ++next) lane(payer(next)).paid = Amount(10);
    };
    const auto result = settle();
    ASSERT_TRUE(result) << result.error().describe();
    ASSERT_EQ(world_.sent.size(), 3U);
    EXPECT_EQ(world_.sent[0].to, world_.chain.identity().lanes);
    EXPECT_EQ(world_.sent[0].data, chain::call::settle(payee_, {vouchers.begin(), vouchers.begin() + 50}));
    EXPECT_EQ(world_.sent[2].data, chain::call::settle(payee_, {vouchers.begin() + 100, vouchers.end()}));
    EXPECT_EQ(result->vouchers, 120U);
    EXPECT_EQ(result->fee, Amount(2 + 2 + 1)) << "half a percent of each batch, rounded down";
    EXPECT_EQ(result->amount, Amount(1200 - 5));
    EXPECT_EQ(result->gas_used, 3 * 21'000U);
    EXPECT_EQ(settle()->vouchers, 0U);
    EXPECT_EQ(world_.sent.size(), 3U) << "nothing is left";
}

TEST_F(SettlementTest, TicksThatTheirPayerNeverConvertedAreSettledInACallOfTheirOwn) {
    const auto domain = lane_domain(world_.chain.identity());
    const auto key = crypto::PrivateKey::generate(world_.rng);
    auto chain = pay::TickPayer::begin(domain, {payee_, 0, Amount(100), Amount(200)}, 10, 10, Hash32{{9}}).value();
    const auto voucher = codec::sign_tick_voucher(domain, chain.voucher(), key);
    world_.chain.accounts[key.address()].free = Amount(1000);
    const auto keep_newest = [&](const codec::Tick& newest) {
        EXPECT_TRUE(world_.run(keep(ports::HeldVoucher::of(key.address(), voucher, newest, SessionId{}))));
    };
    keep_newest({0, voucher.tick_voucher.anchor});
    keep_newest(*chain.next());
    const auto newest = *chain.pay_up_to(Amount(135));
    keep_newest(newest);
    const auto held = ports::HeldVoucher::of(key.address(), voucher, newest, SessionId{});
    EXPECT_EQ((UnsettledVoucher{held, {}, {}}.on_signature()), Amount(130)) << "ticks rest on the signature, too";
    const auto plain = hold(payer(1), 10, 100);
    world_.on_mined = [&](const ports::TxIntent&) {
        lane(world_.sent.size() == 1 ? payer(1) : key.address()).paid = Amount(world_.sent.size() == 1 ? 10 : 130);
    };
    const auto result = settle();
    ASSERT_TRUE(result) << result.error().describe();
    ASSERT_EQ(world_.sent.size(), 2U);
    EXPECT_EQ(world_.sent[0].data, chain::call::settle(payee_, {plain}));
    EXPECT_EQ(world_.sent[1].data, chain::call::settle_ticks(payee_, {{voucher, newest}}));
    EXPECT_EQ(result->amount, Amount(140)) << "the first voucher and three ticks";
    EXPECT_EQ(settle()->vouchers, 0U);
}

TEST_F(SettlementTest, ABatchThatFailsDoesNotKeepTheNextFromGoingOut) {
    for (std::uint32_t i = 1; i <= pay::kSettlementBatch + 1; ++i) hold(payer(static_cast<std::uint8_t>(i)), 10, 100);
    world_.refuse = [refused = false](const ports::TxIntent&) mutable -> std::optional<Error> {
        if (std::exchange(refused, true)) return std::nullopt;
        return Error{ErrorCode::unavailable, "the endpoint is away"};
    };
    const auto result = settle();
    EXPECT_FALSE(result) << "what failed is told";
    EXPECT_EQ(world_.sent.size(), 1U);
}

TEST_F(SettlementTest, WhatBringsNothingIsNotSent) {
    hold(payer(1), 100, 1000);
    lane(payer(1)).epoch = 1;  // released since
    hold(payer(2), 100, 0);
    lane(payer(2)) = {Amount(60), Amount(60), {}, 0};  // the payer has nothing left
    hold(payer(3), 100, 1000);
    lane(payer(3)) = {Amount(100), Amount(100), {}, 0};  // paid
    EXPECT_EQ(settle()->vouchers, 0U);
    EXPECT_TRUE(world_.sent.empty());
    const auto covered = hold(payer(4), 100, 0);
    lane(payer(4)) = {Amount(60), Amount(60), {}, 0};
    world_.chain.accounts[payer(4)].exiting = Amount(5);
    world_.on_mined = [&](const ports::TxIntent&) { lane(payer(4)).paid = Amount(65); };
    EXPECT_EQ(settle()->amount, Amount(5));
    ASSERT_EQ(world_.sent.size(), 1U);
    EXPECT_EQ(world_.sent[0].data, chain::call::settle(payee_, {covered}));
}

TEST_F(SettlementTest, ALaneThatIsPaidOutForGoodIsNotAskedAboutUntilAHigherVoucherComes) {
    hold(payer(1), 10, 100);
    lane(payer(1)).paid = Amount(10);
    hold(payer(2), 10, 100);
    lane(payer(2)).epoch = 1;
    const auto reads = [this] {
        const auto before = world_.chain.lane_reads;
        EXPECT_TRUE(settle());
        return world_.chain.lane_reads - before;
    };
    EXPECT_EQ(reads(), 2U);
    world_.chain.head_number += 95;
    EXPECT_EQ(reads(), 2U) << "a reorganisation may still take it back";
    lane(payer(1)).paid = Amount(0);
    world_.on_mined = [this](const ports::TxIntent&) { lane(payer(1)).paid = Amount(10); };
    EXPECT_EQ(reads(), 3U) << "and this one has; it is settled again and looked at afterwards";
    world_.chain.head_number += 1;
    EXPECT_EQ(reads(), 2U) << "deep enough for the other payer";
    EXPECT_EQ(reads(), 1U);
    world_.chain.head_number += 96;
    EXPECT_EQ(reads(), 1U);
    EXPECT_EQ(reads(), 0U);
    hold(payer(1), 20, 100);
    world_.on_mined = [this](const ports::TxIntent&) { lane(payer(1)).paid = Amount(20); };
    EXPECT_EQ(reads(), 2U) << "the look, and another after settling";
    EXPECT_EQ(world_.sent.size(), 2U);
}

TEST_F(SettlementTest, APayerWhoCannotBeLookedAtDoesNotHoldUpTheOthers) {
    hold(payer(1), 10, 100);
    const auto readable = hold(payer(2), 10, 100);
    world_.chain.unreadable = payer(1);
    EXPECT_FALSE(settle()) << "the look is repeated soon";
    ASSERT_EQ(world_.sent.size(), 1U);
    EXPECT_EQ(world_.sent[0].data, chain::call::settle(payee_, {readable}));
}

TEST_F(SettlementTest, APayerThatTakesItsMoneyBackIsSettledWithoutASession) {
    world_.on_mined = [&](const ports::TxIntent&) {
        for (auto& [key, state] : world_.chain.lanes) state.paid = Amount(501);
    };
    hold(payer(1), 100, 1000);
    node_->node->start();
    ASSERT_TRUE(world_.run(look(1)));
    EXPECT_TRUE(world_.sent.empty()) << "a tenth of the risk limit can wait";
    lane(payer(1)).release_at = UnixTime(seconds(1'900'000'000));
    ASSERT_TRUE(world_.run(look(1)));
    EXPECT_EQ(world_.sent.size(), 1U) << "the lane is being released";
    hold(payer(2), 100, 900);
    world_.chain.accounts[payer(2)].exiting = Amount(100);
    ASSERT_TRUE(world_.run(look(2)));
    EXPECT_EQ(world_.sent.size(), 2U) << "deposit is leaving";
    hold(payer(3), 501, 1000);
    ASSERT_TRUE(world_.run(look(3)));
    EXPECT_EQ(world_.sent.size(), 3U) << "above half of the risk limit";
}

TEST_F(SettlementTest, AProviderThatWasAwayWhileAPayerLeftSettlesFirstThing) {
    hold(payer(1), 100, 1000);
    ASSERT_TRUE(world_.run(node_->node->shut_down()));
    node_.reset();
    lane(payer(1)).release_at = world_.clock.unix_now() + seconds(17 * 3600);
    auto settings = provider_settings();
    settings.provider.settlement.look = milliseconds(3'600'000);
    node_ = std::make_unique<TestNode>(world_, "provider", std::move(settings));
    node_->node->start();
    ASSERT_TRUE(world_.run(wait_until_sent()));
    EXPECT_EQ(world_.sent.size(), 1U);
}

TEST(UnsettledVoucher, TheEarlierOfTwoAnnouncementsIsTheDeadline) {
    UnsettledVoucher voucher;
    EXPECT_EQ(voucher.deadline(), std::nullopt);
    voucher.account.exit_at = UnixTime(seconds(90));
    EXPECT_EQ(voucher.deadline(), std::nullopt) << "nothing is leaving";
    voucher.account.exiting = Amount(1);
    EXPECT_EQ(voucher.deadline(), UnixTime(seconds(90)));
    voucher.lane.release_at = UnixTime(seconds(80));
    EXPECT_EQ(voucher.deadline(), UnixTime(seconds(80)));
    voucher.account.exit_at = UnixTime(seconds(70));
    EXPECT_EQ(voucher.deadline(), UnixTime(seconds(70)));
}

TEST(UnsettledVoucher, ItsAgeIsThatOfTheOldestMoneyInIt) {
    const auto session = [](std::uint8_t signer, int started, std::uint64_t paid) {
        ports::SessionRecord record;
        record.signer = payer(signer);
        record.provider = payer(9);
        record.started = UnixTime(seconds(started));
        record.paid = Amount(paid);
        return record;
    };
    const std::vector<ports::SessionRecord> sessions{session(1, 40, 5), session(2, 30, 100), session(1, 20, 5),
                                                     session(1, 10, 5)};
    const auto since = [&](std::uint64_t amount) {
        return unsettled_since(sessions, payer(1), payer(9), Amount(amount));
    };
    EXPECT_EQ(since(5), UnixTime(seconds(40)));
    EXPECT_EQ(since(6), UnixTime(seconds(20)));
    EXPECT_EQ(since(11), UnixTime(seconds(10)));
    EXPECT_EQ(since(1000), UnixTime(seconds(10))) << "as old as what is remembered";
}

TEST_F(SettlementTest, OneThatAnEarlierRunLeftIsFinishedFirst) {
    hold(payer(1), 100, 1000);
    world_.open_intent = ports::TxIntent{"settle:old", "settle 7 vouchers", world_.chain.identity().lanes, Bytes{1}};
    const auto refused = settle();
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("settle 7 vouchers"), std::string::npos) << refused.error().message;
    ASSERT_EQ(world_.sent.size(), 1U);
    EXPECT_EQ(world_.sent[0].key, "settle:old");
    EXPECT_TRUE(settle());
    EXPECT_EQ(world_.sent.size(), 2U);
}

}  // namespace
}  // namespace myst::node::test
