// Requests as strangers, and payers with ideas of their own, would send them to a provider.
#include "myst/chain/lanes_contract.hpp"
#include "myst/node/payment_stream.hpp"
#include "myst/node/test_support/admission_fixture.hpp"

namespace myst::node::test {
namespace {

TEST_F(AdmissionTest, TheIdOfAnEarlierSessionIsRefusedAndItsDebtStays) {
    ports::SessionRecord earlier;
    earlier.id = SessionId{{5}};
    earlier.cost = Amount(700);
    earlier.paid = Amount(100);
    ASSERT_TRUE(world_.run(keep(0, 100, earlier)));
    const auto asked = ask(payer_, earlier.id);
    ASSERT_TRUE(asked->refused());
    EXPECT_EQ(asked->refused()->code, RejectCode::request);
    Amount debt;
    ASSERT_TRUE(world_.run(read_debt(debt)));
    EXPECT_EQ(debt, Amount(600));
    EXPECT_TRUE(ask(payer_, SessionId{{6}})->accepted()) << "a new id is welcome";
}

/// As a killed process would leave them, among newer ones of the consumer's role; then another start.
Task<> restart_with_open_sessions(TestNode& node, std::size_t count, std::vector<ports::SessionRecord>& open) {
    auto stopped = co_await node.node->provider_stop();
    EXPECT_TRUE(stopped);
    const auto own = node.keys->wallet()->address();
    for (std::size_t i = 0; i < 2 * count; ++i) {
        ports::SessionRecord session;
        session.id.bytes = {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8), 1};
        session.provider = i < count ? own : Address{{9}};
        session.started = UnixTime(seconds(1'700'000'000 + i));
        auto saved = co_await node.ledger->save_session(std::move(session));
        EXPECT_TRUE(saved);
    }
    auto started = co_await node.node->provider_start();
    EXPECT_TRUE(started);
    auto sold = co_await node.ledger->sold_sessions(own, 2 * count);
    EXPECT_TRUE(sold);
    if (!sold) co_return;
    EXPECT_EQ(sold->size(), count);
    std::copy_if(sold->begin(), sold->end(), std::back_inserter(open),
                 [](const auto& session) { return session.ended == UnixTime{}; });
}

TEST_F(AdmissionTest, AllSessionsThatAnInterruptionLeftOpenAreClosed) {
    std::vector<ports::SessionRecord> open;
    ASSERT_TRUE(world_.run(restart_with_open_sessions(*provider_, 300, open)));
    EXPECT_EQ(open.size(), 0U);
}

TEST_F(AdmissionTest, ARequestThatWasKeptBackDoesNotReplaceALaterOnesSession) {
    const auto before = next_time(payer_.address());
    ASSERT_TRUE(ask(payer_, SessionId{{1}})->accepted());
    for (const auto created : {before, before + seconds(1)}) {
        AskedPtr late;
        ASSERT_TRUE(world_.run(send_of(created, payer_, SessionId{{2}}, late)));
        ASSERT_TRUE(world_.run(wait_for(late)));
        ASSERT_TRUE(late->refused());
        EXPECT_EQ(late->refused()->code, RejectCode::request);
    }
    EXPECT_EQ(world_.wire.peer, SessionId{{1}}) << "the running session was replaced";
    EXPECT_TRUE(ask(payer_, SessionId{{3}})->accepted()) << "the payer may begin anew";
    EXPECT_EQ(world_.wire.peer, SessionId{{3}});
}

TEST_F(AdmissionTest, AViewOlderThanTheHeldVouchersEpochIsNotTrusted) {
    ASSERT_TRUE(world_.run(keep(1, 100, {})));
    const auto asked = ask(payer_, SessionId{{6}});
    ASSERT_TRUE(asked->refused());
    EXPECT_EQ(asked->refused()->code, RejectCode::unavailable);
    world_.chain.lanes[{payer_.address(), payee_}].epoch = 1;
    EXPECT_TRUE(ask(payer_, SessionId{{7}})->accepted());
}

TEST_F(AdmissionTest, APayerWhoseLaneAnEarlierRunIsAboutToReleaseIsRefused) {
    ASSERT_TRUE(world_.run(stop()));
    const auto data = chain::call::release(payer_.address(), payee_);
    world_.open_intent = ports::TxIntent{"release:old", "old", world_.chain.identity().lanes, data};
    ASSERT_TRUE(world_.run(start()));
    const auto asked = ask(payer_, SessionId{{6}});
    ASSERT_TRUE(asked->refused()) << "what it paid would be void";
    EXPECT_EQ(asked->refused()->code, RejectCode::funds);
    const auto other = crypto::PrivateKey::generate(world_.rng);
    world_.chain.accounts[other.address()].free = Amount(1'000'000);
    EXPECT_TRUE(ask(other, SessionId{{7}})->accepted());
}

Task<> two_at_once(Task<> first, Task<> second) {
    TaskGroup group(co_await asio::this_coro::executor);
    group.spawn("first", std::move(first));
    group.spawn("second", std::move(second));
    co_await group.join();
}

TEST_F(AdmissionTest, TwoRequestsAtOnceGiveOneSession) {
    AskedPtr first;
    AskedPtr second;
    ASSERT_TRUE(
        world_.run(two_at_once(ask_task(payer_, SessionId{{1}}, first), ask_task(payer_, SessionId{{2}}, second))));
    EXPECT_EQ((first->accepted() ? 1 : 0) + (second->accepted() ? 1 : 0), 1) << "each would credit the same voucher";
}

TEST_F(AdmissionTest, NeitherStrangersNorSlowRelaysKeepOthersOut) {
    ASSERT_TRUE(world_.run(keep(0, 1, {})));
    world_.bus.slow_author = provider_->keys->node().node_key();
    std::vector<AskedPtr> strangers(60);
    for (std::size_t i = 0; i < strangers.size(); ++i) {
        const auto stranger = crypto::PrivateKey::generate(world_.rng);
        ASSERT_TRUE(world_.run(send(stranger, SessionId{{static_cast<std::uint8_t>(i), 1}}, strangers[i])));
    }
    const auto begin = world_.clock.now();
    EXPECT_TRUE(ask(payer_, SessionId{{9}})->accepted());
    EXPECT_LT(world_.clock.now() - begin, seconds(5));
    const auto answered =
        std::count_if(strangers.begin(), strangers.end(), [](const auto& one) { return one->answer; });
    EXPECT_GE(answered, 1);
    EXPECT_LE(answered, 30) << "everybody can make us work for him";
    EXPECT_GE(world_.chain.account_reads, 20U);
    EXPECT_LE(world_.chain.account_reads, 50U) << "everybody can use up what the endpoint lets us ask";
    EXPECT_LE(world_.chain.lane_reads, 5U) << "asked about lanes of payers without a deposit";
    world_.bus.slow_author.reset();
}

TEST_F(AdmissionTest, NewcomersDoNotTakeThePlacesOfWhoHasPaidBefore) {
    ASSERT_TRUE(world_.run(keep(0, 1, {})));
    world_.chain.hangs = [this](const Address& signer) { return signer != payer_.address(); };
    std::vector<AskedPtr> newcomers(30);
    for (std::size_t i = 0; i < newcomers.size(); ++i) {
        const auto key = crypto::PrivateKey::generate(world_.rng);
        world_.chain.accounts[key.address()].free = Amount(1'000'000);
        ASSERT_TRUE(world_.run(send(key, SessionId{{static_cast<std::uint8_t>(i), 1}}, newcomers[i])));
    }
    EXPECT_TRUE(ask(payer_, SessionId{{9}})->accepted());
    const auto full = std::count_if(newcomers.begin(), newcomers.end(), [](const auto& one) {
        return one->refused() && one->refused()->code == RejectCode::full;
    });
    EXPECT_GE(full, 1) << "they wait for ever";
    world_.chain.hangs = nullptr;
}

struct Streams {
    std::vector<PaymentStream> open;
    std::size_t closed = 0;  ///< by the provider
};

/// Opens so many streams from an address and reports which of them the provider closes at once.
Task<> open_streams(std::string from, std::uint16_t port, std::size_t count, Streams& streams) {
    constexpr milliseconds kLook{300};
    for (std::size_t i = 0; i < count; ++i) {
        std::string server = "127.0.0.1";
        auto stream = co_await PaymentStream::connect(from, std::move(server), port, kStreamLimit);
        EXPECT_TRUE(stream);
        if (!stream) continue;
        const auto begin = std::chrono::steady_clock::now();
        auto frame = co_await stream->receive(kLook);
        EXPECT_FALSE(frame);
        if (std::chrono::steady_clock::now() - begin < kLook) {
            ++streams.closed;
        } else {
            streams.open.push_back(std::move(*stream));
        }
    }
}

TEST_F(AdmissionTest, OneClientHasAFewStreamsAndAStrangerHasNone) {
    const auto asked = ask(payer_, SessionId{{1}});
    ASSERT_TRUE(asked->accepted());
    const auto offer = asked->accepted()->offer;
    Streams own;
    ASSERT_TRUE(world_.run(open_streams(offer.client_address, offer.payment_port, 5, own)));
    EXPECT_EQ(own.open.size(), 4U);
    EXPECT_EQ(own.closed, 1U);
    Streams foreign;
    ASSERT_TRUE(world_.run(open_streams("127.0.0.7", offer.payment_port, 1, foreign)));
    EXPECT_EQ(foreign.closed, 1U) << "nobody has this address";
}

}  // namespace
}  // namespace myst::node::test
