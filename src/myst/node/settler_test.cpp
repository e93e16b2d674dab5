// Settling before a payer's money can be gone, in virtual time. Chain, relays and tunnel are fakes.
#include "myst/node/settler.hpp"

#include <gtest/gtest.h>

#include <random>

#include "myst/chain/lanes_contract.hpp"
#include "myst/node/test_support/fake_world.hpp"

namespace myst::node::test {
namespace {

constexpr seconds kHour{3600};
constexpr seconds kWindow = 24 * kHour;
constexpr seconds kStep = kHour / 2;  ///< between looks; the daemon looks more often

/// A payer that announces at `announced` and can take its money a window later, and a provider that can do nothing from
/// `outage` for `outage_length`.
struct Leaving {
    bool releases = false;  ///< the lane; else it withdraws its deposit
    bool in_session = false;
    bool killed = false;  ///< the provider is not there at all, instead of without access to the chain
    seconds outage{};     ///< after the announcement; may be negative
    seconds outage_length{};
    std::uint64_t total = 1000;
};

class SettlerTest : public testing::Test {
protected:
    SettlerTest()
        : node_(world_, "provider", provider_settings()),
          context_{world_.context.get_executor(),
                   clock_,
                   world_.rng,
                   world_.workers,
                   *node_.keys,
                   world_.chain,
                   world_.bus,
                   *node_.ledger,
                   node_.driver,
                   [this](const crypto::PrivateKey&) -> Result<std::unique_ptr<ports::TxSender>> {
                       return std::make_unique<FakeSender>(world_);
                   }},
          wallet_(context_),
          payee_(node_.keys->wallet()->address()) {
        settings_.terms.trigger = Amount(1'000'000);
        settings_.terms.gas_price = Amount(100);
        settings_.terms.margin = 16 * kHour;
        world_.chain.out_of_reach = [this] { return out_of_reach_; };
        world_.on_mined = [this](const ports::TxIntent&) {
            for (auto& [key, lane] : world_.chain.lanes) lane.paid = totals_[key.first];
            settled_at_ = clock_.unix_now();
        };
        restart();
    }
    ~SettlerTest() override { EXPECT_TRUE(world_.run(node_.node->shut_down())); }

    void restart() {
        auto in_session = [this](const Address&) { return in_session_; };
        settler_ = std::make_unique<Settler>(context_, wallet_, settings_, in_session);
    }
    Task<> look() {
        auto settled = co_await settler_->settle_due();
        EXPECT_EQ(settled.has_value(), !out_of_reach_);
    }
    Task<> keep(Address signer, Amount total) {
        ports::SessionRecord session;
        std::copy(signer.bytes.begin(), signer.bytes.begin() + 16, session.id.bytes.begin());
        session.signer = signer;
        session.provider = payee_;
        session.started = clock_.unix_now();
        session.paid = total;
        const codec::SignedVoucher voucher{{payee_, 0, total, total}, {}};
        const ports::HeldVoucher held{signer, voucher, session.id};
        auto kept = co_await node_.ledger->keep_voucher(held, std::move(session));
        EXPECT_TRUE(kept);
    }
    /// How long before the deadline a new payer's voucher is settled; negative if it is not.
    seconds margin_left(const Leaving& leaving) {
        Address payer{{1}};
        payer.bytes[1] = static_cast<std::uint8_t>(totals_.size());
        totals_[payer] = Amount(leaving.total);
        world_.chain.accounts[payer].free = Amount(leaving.total);
        EXPECT_TRUE(world_.run(keep(payer, Amount(leaving.total))));
        in_session_ = leaving.in_session;
        settled_at_ = {};
        const auto announced = clock_.unix_now() + kWindow / 2;
        const auto deadline = announced + kWindow;
        const auto outage = announced + leaving.outage;
        bool was_away = false;
        for (; settled_at_ == UnixTime{} && clock_.unix_now() < deadline; clock_.advance(kStep)) {
            const auto now = clock_.unix_now();
            if (now >= announced && leaving.releases) world_.chain.lanes[{payer, payee_}].release_at = deadline;
            if (now >= announced && !leaving.releases) {
                world_.chain.accounts[payer] = {Amount{}, Amount(leaving.total), deadline};
            }
            ++world_.chain.head_number;
            const bool away = now >= outage && now < outage + leaving.outage_length;
            if (!away && was_away && leaving.killed) restart();
            was_away = away;
            out_of_reach_ = away && !leaving.killed;
            if (away && leaving.killed) continue;
            EXPECT_TRUE(world_.run(look()));
        }
        out_of_reach_ = false;
        return settled_at_ == UnixTime{} ? seconds(-1) : deadline - settled_at_;
    }

    World world_;
    TestNode node_;
    ManualClock clock_{UnixTime(seconds(1'800'000'000))};
    Context context_;
    Wallet wallet_;
    Address payee_;
    SettlerSettings settings_;
    std::unique_ptr<Settler> settler_;
    std::map<Address, Amount> totals_;
    bool out_of_reach_ = false;
    bool in_session_ = false;
    UnixTime settled_at_{};
};

TEST_F(SettlerTest, AHundredOutagesOfUpToHalfTheWindowCostNothing) {
    std::mt19937 random(20'261'123);
    const auto pick = [&](int least, int most) { return std::uniform_int_distribution(least, most)(random); };
    seconds least = kWindow;
    int in_time = 0;
    for (int i = 0; i < 100; ++i) {
        Leaving leaving;
        leaving.releases = pick(0, 1) == 1;
        leaving.in_session = pick(0, 1) == 1;
        leaving.killed = pick(0, 1) == 1;
        leaving.outage = seconds(pick(-12 * 3600, 24 * 3600));
        leaving.outage_length = seconds(pick(0, 12 * 3600));
        leaving.total = static_cast<std::uint64_t>(pick(100, 400));
        const auto left = margin_left(leaving);
        EXPECT_GT(left, seconds(0)) << "case " << i << ", outage " << leaving.outage.count() << " s after, for "
                                    << leaving.outage_length.count() << " s";
        if (left > seconds(0)) ++in_time;
        least = std::min(least, left);
    }
    std::printf("settled before the deadline: %d of 100, at least %lld s before it\n", in_time,
                static_cast<long long>(least.count()));
}

TEST_F(SettlerTest, TheWorstOutageBeginsWithTheMarginAndStillEndsInTime) {
    Leaving worst;
    worst.in_session = true;
    worst.outage = 8 * kHour;
    worst.outage_length = 12 * kHour;
    worst.total = 300;
    EXPECT_EQ(margin_left(worst), 4 * kHour);
    worst.killed = true;
    EXPECT_EQ(margin_left(worst), 4 * kHour);
    settings_.terms.margin = 12 * kHour;
    restart();
    worst.outage = 12 * kHour;
    EXPECT_LT(margin_left(worst), seconds(0)) << "a margin of half the window is too small for such an outage";
}

/// A payer has paid 1,000, all of it drawn, of 1,500 that are set aside, and wants the rest back.
class OwedReleaseTest : public SettlerTest {
protected:
    OwedReleaseTest() {
        world_.on_mined = [](const ports::TxIntent&) {};
        settings_.terms.gas_price = Amount(500);  // a release costs 19 units, 1.9 %
        EXPECT_TRUE(world_.run(keep(payer_, Amount(1000))));
        restart();
    }
    /// Looks at the first block, and at that `blocks` later.
    void look_twice(std::uint64_t blocks) {
        restart();
        EXPECT_TRUE(world_.run(look()));
        world_.chain.head_number += blocks;
        EXPECT_TRUE(world_.run(look()));
    }

    const Address payer_{{1}};
    ports::LaneState& lane_ = world_.chain.lanes[{payer_, payee_}] =
        ports::LaneState{Amount(1000), Amount(1500), clock_.unix_now() + kWindow, 0};
};

TEST_F(OwedReleaseTest, IsDoneOnceWhatWasDrawnIsFinal) {
    look_twice(settings_.finality_blocks - 1);
    EXPECT_TRUE(world_.sent.empty()) << "a reorganisation could undo the settlement and not the release";
    ++world_.chain.head_number;
    EXPECT_TRUE(world_.run(look()));
    ASSERT_EQ(world_.sent.size(), 1U);
    EXPECT_TRUE(world_.sent[0].key.starts_with("release:"));
    EXPECT_EQ(world_.sent[0].data, chain::call::release(payer_, payee_));
    lane_ = {Amount(0), Amount(0), {}, 1};
    EXPECT_TRUE(world_.run(look()));
    EXPECT_EQ(world_.sent.size(), 1U);
}

TEST_F(OwedReleaseTest, WaitsUntilTheRequestIsFinalAsWell) {
    const auto requested = std::exchange(lane_.release_at, UnixTime{});
    look_twice(settings_.finality_blocks);
    lane_.release_at = requested;
    EXPECT_TRUE(world_.run(look()));
    world_.chain.head_number += settings_.finality_blocks - 1;
    EXPECT_TRUE(world_.run(look()));
    EXPECT_TRUE(world_.sent.empty()) << "undone by a reorganisation, the payer would go on paying";
    ++world_.chain.head_number;
    EXPECT_TRUE(world_.run(look()));
    EXPECT_EQ(world_.sent.size(), 1U);
}

TEST_F(OwedReleaseTest, IsNotSentForALaneThatHasChangedSinceItWasLookedAt) {
    EXPECT_TRUE(world_.run(look()));
    world_.chain.head_number += settings_.finality_blocks;
    // Another payer is settled first, and meanwhile a reorganisation undoes this one's request.
    const Address other{{2}};
    world_.chain.accounts[other] = {Amount{}, Amount(1000), clock_.unix_now() + kWindow};
    EXPECT_TRUE(world_.run(keep(other, Amount(1000))));
    world_.on_mined = [this](const ports::TxIntent& intent) {
        if (intent.key.starts_with("settle:")) lane_.release_at = {};
    };
    EXPECT_TRUE(world_.run(look()));
    ASSERT_FALSE(world_.sent.empty());
    for (const auto& intent : world_.sent) EXPECT_TRUE(intent.key.starts_with("settle:"));
}

TEST_F(OwedReleaseTest, ThePayerIsNotAdmittedWhileItMayStillBeMined) {
    world_.refuse = [](const ports::TxIntent& intent) -> std::optional<Error> {
        if (!intent.key.starts_with("release:")) return std::nullopt;
        return Error{ErrorCode::unavailable, "gas is too dear", ""};
    };
    look_twice(settings_.finality_blocks);
    EXPECT_FALSE(settler_->is_releasing(payer_)) << "nothing was left in the outbox";
    const auto data = chain::call::release(payer_, payee_);
    world_.open_intent = ports::TxIntent{"release:old", "old", world_.chain.identity().lanes, data};
    restart();
    const auto know = [this]() -> Task<> {
        auto known = co_await settler_->know_open_release();
        EXPECT_TRUE(known);
    };
    EXPECT_TRUE(world_.run(know()));
    EXPECT_TRUE(settler_->is_releasing(payer_));
    EXPECT_FALSE(settler_->is_releasing(Address{{2}}));
    world_.open_intent.reset();
    lane_ = {Amount(0), Amount(0), {}, 1};
    EXPECT_TRUE(world_.run(look()));
    EXPECT_FALSE(settler_->is_releasing(payer_)) << "it is mined";
}

TEST_F(OwedReleaseTest, IsLeftToThePayerWhereItIsNotOwed) {
    const auto blocks = settings_.finality_blocks;
    in_session_ = true;
    look_twice(blocks);
    in_session_ = false;
    lane_.release_at = {};
    look_twice(blocks);
    lane_.release_at = clock_.unix_now() + kWindow;
    settings_.release_on_request = false;
    look_twice(blocks);
    settings_.release_on_request = true;
    settings_.terms.gas_price = Amount(600);  // 23 units, more than 2 % of 1,000
    look_twice(blocks);
    settings_.terms.gas_price = Amount(500);
    lane_.cap = lane_.paid;
    look_twice(blocks);
    lane_.cap = Amount(1500);
    EXPECT_TRUE(world_.sent.empty());
    lane_.paid = Amount(900);
    world_.chain.accounts[payer_].free = Amount(1);
    look_twice(blocks);
    for (const auto& intent : world_.sent) EXPECT_TRUE(intent.key.starts_with("settle:")) << "100 would be lost";
    EXPECT_FALSE(world_.sent.empty());
}

TEST_F(SettlerTest, TheReportSaysWhatIsReservedAndWhatIsAtRisk) {
    const Address payer{{1}};
    totals_[payer] = Amount(1000);
    world_.chain.accounts[payer] = {Amount(400), Amount(50), clock_.unix_now() + kWindow};
    world_.chain.lanes[{payer, payee_}] = {Amount(100), Amount(700), {}, 0};
    in_session_ = true;
    ASSERT_TRUE(world_.run(keep(payer, Amount(1000))));
    ProviderLimits limits;
    const auto report = [&]() -> Task<> {
        auto reported = co_await settler_->report(limits);
        EXPECT_TRUE(reported);
    };
    ASSERT_TRUE(world_.run(report()));
    ASSERT_EQ(limits.payers.size(), 1U);
    EXPECT_EQ(limits.payers[0].signer, payer);
    EXPECT_EQ(limits.unsettled, Amount(900));
    EXPECT_EQ(limits.reserved, Amount(600));
    EXPECT_EQ(limits.on_signature, Amount(300));
    EXPECT_EQ(limits.next_deadline, clock_.unix_now() + kWindow);
    EXPECT_EQ(limits.payers[0].settle_by, clock_.unix_now() + 8 * kHour);
    EXPECT_EQ(limits.payers[0].settles_because, pay::SettleReason::overhead);
    EXPECT_EQ(limits.settlement_cost, Amount(8)) << "71,000 gas at 100 a million, rounded up";
    EXPECT_EQ(limits.policy.margin, 16 * kHour);
}

}  // namespace
}  // namespace myst::node::test
