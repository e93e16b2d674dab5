// Requests and payment streams as strangers, and payers with ideas of their own, would send them to a provider.
#include <random>

#include <gtest/gtest.h>

#include <random>

#include "myst/chain/lanes_contract.hpp"
#include "myst/node/envelope.hpp"
#include "myst/node/payment_signer.hpp"
#include "myst/node/payment_stream.hpp"
#include "myst/node/test_support/fake_world.hpp"

namespace myst::node::test {
namespace {

constexpr milliseconds kPatience{10'000};
constexpr milliseconds kStreamLimit{5'000};
constexpr milliseconds kUnpaidLimit{400};  // instead of a minute

/// A request under way, and what came back.
struct Asked {
    explicit Asked(crypto::PrivateKey own) : key(std::move(own)) {}
    crypto::PrivateKey key;
    std::unique_ptr<ports::Subscription> subscription;
    std::optional<Envelope> answer;
    [[nodiscard]] const SessionAccept* accepted() const {
        return answer ? std::get_if<SessionAccept>(&*answer) : nullptr;
    }
    [[nodiscard]] const SessionReject* refused() const {
        return answer ? std::get_if<SessionReject>(&*answer) : nullptr;
    }
};
using AskedPtr = std::shared_ptr<Asked>;

class AdmissionTest : public testing::Test {
protected:
    /// By default, sessions may send as much as they like.
    explicit AdmissionTest(std::uint32_t frames_per_second = 100'000) {
        auto settings = provider_settings();
        settings.provider.risk_limit = Amount(10'000);
        settings.provider.deposit_look = milliseconds(20);
        settings.provider.unpaid_limit = kUnpaidLimit;
        settings.provider.frames_per_second = frames_per_second;
        provider_ = std::make_unique<TestNode>(world_, "provider", std::move(settings));
        payee_ = provider_->keys->wallet()->address();
        world_.chain.accounts[payer_.address()].free = Amount(1'000'000);
        EXPECT_TRUE(world_.run(start()));
    }
    ~AdmissionTest() override { EXPECT_TRUE(world_.run(provider_->node->shut_down())); }
    Task<> start() {
        auto started = co_await provider_->node->provider_start();
        EXPECT_TRUE(started);
    }
    Task<> stop() {
        auto stopped = co_await provider_->node->provider_stop();
        EXPECT_TRUE(stopped);
    }
    /// Later than every request of the same payer before.
    UnixTime next_time(const Address& payer) {
        auto& last = requested_[payer];
        last = std::max(world_.clock.unix_now(), last + seconds(1));
        return last;
    }
    /// Sends a request; the answer arrives later.
    Task<> send(const crypto::PrivateKey& payer, SessionId id, AskedPtr& sent) {
        return send_of(next_time(payer.address()), payer, id, sent);
    }
    Task<> send_of(UnixTime created, const crypto::PrivateKey& payer, SessionId id, AskedPtr& sent) {
        auto asked = std::make_shared<Asked>(crypto::PrivateKey::generate(world_.rng));
        codec::Filter filter;
        filter.kinds = {kEnvelopeKind};
        filter.tags['p'] = {asked->key.node_key().hex()};
        asked->subscription = world_.bus.subscribe({filter}, [raw = asked.get()](const codec::Event& event) {
            if (auto envelope = open_envelope(event, raw->key)) raw->answer = std::move(*envelope);
        });
        SessionRequest request;
        request.id = id;
        request.service = "wireguard";
        request.signer = payer.address();
        request.created = created;
        request.tariff = provider_settings().provider.tariff;
        const auto provider = provider_->keys->node().node_key();
        request.signature = payer.sign(
            lane_domain(world_.chain.identity())
                .session_request_digest(provider, asked->key.node_key(), request.tunnel_key, request.created));
        auto sealed = seal_envelope(request, asked->key, provider, world_.clock.unix_now(), world_.rng);
        EXPECT_TRUE(sealed);
        sent = asked;
        auto published = co_await world_.bus.publish(std::move(*sealed));
        EXPECT_TRUE(published);
    }
    Task<> wait_for(AskedPtr asked) {
        const auto deadline = world_.clock.now() + kPatience;
        while (!asked->answer && world_.clock.now() < deadline) co_await sleep_for(milliseconds(1));
    }
    Task<> ask_task(const crypto::PrivateKey& payer, SessionId id, AskedPtr& asked) {
        co_await send(payer, id, asked);
        co_await wait_for(asked);
    }
    /// Waits for a condition, as long as patience lasts.
    Task<> until(std::function<bool()> condition) {
        const auto deadline = world_.clock.now() + kPatience;
        while (!condition() && world_.clock.now() < deadline) co_await sleep_for(milliseconds(1));
    }
    AskedPtr ask(const crypto::PrivateKey& payer, SessionId id) {
        AskedPtr asked;
        EXPECT_TRUE(world_.run(ask_task(payer, id, asked)));
        return asked;
    }
    Task<> keep(std::uint32_t epoch, std::uint64_t total, ports::SessionRecord session) {
        return keep_of(payer_.address(), epoch, total, std::move(session));
    }
    Task<> keep_of(Address payer, std::uint32_t epoch, std::uint64_t total, ports::SessionRecord session) {
        session.signer = payer;
        session.provider = payee_;
        const codec::SignedVoucher voucher{{payee_, epoch, Amount(total), Amount(total)}, {}};
        const ports::HeldVoucher held{payer, voucher, session.id};
        auto kept = co_await provider_->ledger->keep_voucher(held, std::move(session));
        EXPECT_TRUE(kept);
    }
    Task<> read_held(Amount& total) {
        auto held = co_await provider_->ledger->highest_voucher(payer_.address(), payee_);
        EXPECT_TRUE(held && *held);
        if (held && *held) total = (*held)->total();
    }
    /// After the provider has written down how they ended.
    Task<> read_sessions(std::vector<ports::SessionRecord>& sessions) {
        auto stopped = co_await provider_->node->provider_stop();
        EXPECT_TRUE(stopped);
        auto all = co_await provider_->ledger->sold_sessions(payee_, 10);
        EXPECT_TRUE(all);
        if (all) sessions = *all;
    }
    Task<> read_debt(Amount& debt) {
        auto unpaid = co_await provider_->ledger->unpaid(payer_.address(), payee_);
        EXPECT_TRUE(unpaid);
        if (unpaid) debt = *unpaid;
    }

    World world_;
    crypto::PrivateKey payer_ = crypto::PrivateKey::generate(world_.rng);
    std::unique_ptr<TestNode> provider_;
    Address payee_;
    std::map<Address, UnixTime> requested_;
};

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

/// Opens a payment stream and says HELLO; none if the provider refuses.
Task<std::optional<PaymentStream>> greet(SessionAccept accept) {
    auto stream = co_await PaymentStream::connect(accept.offer.client_address, accept.offer.server_address,
                                                  accept.offer.payment_port, kStreamLimit);
    if (!stream) co_return std::nullopt;
    const pay::Frame hello = pay::HelloFrame{accept.id};
    auto sent = co_await stream->send(hello);
    if (!sent) co_return std::nullopt;
    auto resume = co_await stream->receive(kStreamLimit);
    if (!resume || !std::holds_alternative<pay::ResumeFrame>(*resume)) co_return std::nullopt;
    co_return std::move(*stream);
}

/// Sends vouchers in this order over a stream of its own, which others may take over at any time.
Task<> submit(SessionAccept accept, std::vector<pay::Frame> frames) {
    auto stream = co_await greet(accept);
    if (!stream) co_return;
    for (const auto& frame : frames) {
        auto sent = co_await stream->send(frame);
        if (!sent) co_return;
        auto answer = co_await stream->receive(kStreamLimit);
        if (!answer) co_return;
    }
}

template <class Condition>
Task<> wait_until(World& world, Condition condition, milliseconds limit) {
    const auto deadline = world.clock.now() + limit;
    while (!condition() && world.clock.now() < deadline) co_await sleep_for(milliseconds(1));
}

/// Uses up the credit and leaves while the payer's next request is being looked at; the end takes longer than the look.
Task<> leave_while_asking(World& world, SessionAccept accept, Task<> ask_again, const AskedPtr& asked) {
    auto stream = co_await greet(accept);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    world.wire.carry(std::uint64_t{1} << 40);
    world.chain.hangs = [](const Address&) { return true; };
    world.wire.removal_hangs = true;
    const auto reads = world.chain.lane_reads;
    co_await std::move(ask_again);
    const auto looking = [&] { return world.chain.lane_reads > reads; };
    co_await wait_until(world, looking, kPatience);
    const auto removals = world.wire.removals;
    const pay::Frame bye = pay::ByeFrame{};
    auto sent = co_await stream->send(bye);
    EXPECT_TRUE(sent);
    stream->close();
    const auto ending = [&] { return world.wire.removals > removals; };
    co_await wait_until(world, ending, kPatience);
    world.chain.hangs = nullptr;
    const auto answered = [&] { return asked->answer.has_value(); };
    co_await wait_until(world, answered, milliseconds(200));
    world.wire.removal_hangs = false;
    co_await wait_until(world, answered, kPatience);
}

TEST_F(AdmissionTest, WhatASessionLeavesUnpaidCountsThoughItEndsWhileTheNextIsLookedAt) {
    const auto first = ask(payer_, SessionId{{1}});
    ASSERT_TRUE(first->accepted());
    AskedPtr second;
    ASSERT_TRUE(
        world_.run(leave_while_asking(world_, *first->accepted(), send(payer_, SessionId{{2}}, second), second)));
    ASSERT_TRUE(second && second->accepted());
    std::vector<pay::Frame> nothing;
    ASSERT_TRUE(world_.run(submit(*second->accepted(), std::move(nothing))));
    EXPECT_EQ(world_.wire.allowance, 0U) << "the credit is given a second time";
}

/// Begins a chain, sends a wrong tick and counts the refusals, stream after stream until nobody listens any more.
Task<> send_wrong_ticks(PaymentSigner& signer, SessionAccept accept, std::size_t& refused) {
    for (std::uint64_t total = 200; total < 300; ++total) {
        auto stream = co_await greet(accept);
        if (!stream) co_return;
        std::ignore = signer.by_voucher(Amount(total), Amount(total));
        const auto begun = signer.by_tick(Amount(total), Amount(2), Amount(1000));
        auto sent = co_await stream->send(begun.frame);
        auto acknowledged = co_await stream->receive(kStreamLimit);
        EXPECT_TRUE(acknowledged && std::holds_alternative<pay::AckFrame>(*acknowledged));
        const pay::Frame junk = pay::TickFrame{{codec::kMaxTicks, Hash32{{1}}}};
        sent = co_await stream->send(junk);
        EXPECT_TRUE(sent);
        auto answer = co_await stream->receive(kStreamLimit);
        const auto* refusal = answer ? std::get_if<pay::RefuseFrame>(&*answer) : nullptr;
        if (refusal && refusal->code == pay::RefuseCode::wrong_tick) ++refused;
    }
}

TEST_F(AdmissionTest, WrongTicksEndTheStreamAndAFewOfThemTheSession) {
    const auto asked = ask(payer_, SessionId{{1}});
    ASSERT_TRUE(asked->accepted());
    const auto accept = *asked->accepted();
    PaymentSigner signer({payer_, lane_domain(world_.chain.identity()), payee_, accept.epoch, accept.id}, world_.clock,
                         world_.rng);
    std::size_t refused = 0;
    ASSERT_TRUE(world_.run(send_wrong_ticks(signer, accept, refused)));
    EXPECT_EQ(refused, pay::kMaxWrongTicks);
    EXPECT_FALSE(world_.wire.peer) << "the session goes on";
}

/// Four streams at a time, as many as the provider lets in, bring the same vouchers in any order.
Task<> race(SessionAccept accept, std::vector<pay::Frame> frames, std::size_t rounds) {
    std::mt19937 random(1);
    for (std::size_t round = 0; round < rounds; ++round) {
        TaskGroup group(co_await asio::this_coro::executor);
        for (int i = 0; i < 4; ++i) {
            std::shuffle(frames.begin(), frames.end(), random);
            group.spawn("stream", submit(accept, frames));
        }
        co_await group.join();
    }
    co_await submit(accept, frames);
}

TEST_F(AdmissionTest, VouchersThatRaceOnManyStreamsAreCreditedOnce) {
    constexpr std::uint64_t kVouchers = 50;
    const auto asked = ask(payer_, SessionId{{1}});
    ASSERT_TRUE(asked->accepted());
    const auto accept = *asked->accepted();
    std::vector<pay::Frame> frames;
    for (std::uint64_t total = 1; total <= kVouchers; ++total) {
        const codec::Voucher voucher{payee_, accept.epoch, Amount(total), Amount(total)};
        frames.push_back(
            pay::VoucherFrame::of(codec::sign_voucher(lane_domain(world_.chain.identity()), voucher, payer_)));
    }
    ASSERT_TRUE(world_.run(race(accept, frames, 16)));
    Amount held;
    ASSERT_TRUE(world_.run(read_held(held)));
    EXPECT_EQ(held, Amount(kVouchers));
    std::vector<ports::SessionRecord> sessions;
    ASSERT_TRUE(world_.run(read_sessions(sessions)));
    ASSERT_EQ(sessions.size(), 1U);
    EXPECT_EQ(sessions.front().paid, Amount(kVouchers)) << "credit is the highest total and not a sum";
}

/// Says HELLO and then pays one more each time, until the provider refuses or `enough` says so.
Task<> pay_until(const crypto::PrivateKey& payer, codec::LaneDomain domain, SessionAccept accept, std::uint64_t& total,
                 std::function<bool()> enough, std::optional<pay::RefuseCode>& refused) {
    auto stream = co_await greet(accept);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    while (!enough()) {
        ++total;
        const codec::Voucher voucher{accept.payee, accept.epoch, Amount(total), Amount(total)};
        const pay::Frame frame = pay::VoucherFrame::of(codec::sign_voucher(domain, voucher, payer));
        auto sent = co_await stream->send(frame);
        EXPECT_TRUE(sent);
        auto answer = co_await stream->receive(kStreamLimit);
        EXPECT_TRUE(answer) << (answer ? "" : answer.error().message);
        if (!answer) co_return;
        if (const auto* refusal = std::get_if<pay::RefuseFrame>(&*answer)) {
            refused = refusal->code;
            co_return;
        }
        co_await sleep_for(milliseconds(10));
    }
}

/// Says HELLO and sends the same payment again and again, using what the gate gives, until the provider refuses.
Task<> repeat_until_refused(World& world, SessionAccept accept, pay::Frame payment,
                            std::optional<pay::RefuseCode>& refused) {
    auto stream = co_await greet(accept);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    const auto deadline = world.clock.now() + kPatience;
    while (world.clock.now() < deadline) {
        world.wire.carry(std::uint64_t{1} << 40);
        auto sent = co_await stream->send(payment);
        auto answer = co_await stream->receive(kStreamLimit);
        EXPECT_TRUE(sent && answer);
        if (!answer) co_return;
        if (const auto* refusal = std::get_if<pay::RefuseFrame>(&*answer)) {
            refused = refusal->code;
            co_return;
        }
        co_await sleep_for(milliseconds(25));
    }
}

TEST_F(AdmissionTest, RepeatedPaymentsDoNotKeepASessionWhoseGateIsShut) {
    const auto asked = ask(payer_, SessionId{{1}});
    ASSERT_TRUE(asked->accepted());
    const auto accept = *asked->accepted();
    const codec::Voucher voucher{payee_, accept.epoch, Amount(100), Amount(100)};
    const auto payment =
        pay::VoucherFrame::of(codec::sign_voucher(lane_domain(world_.chain.identity()), voucher, payer_));
    std::optional<pay::RefuseCode> refused;
    ASSERT_TRUE(world_.run(repeat_until_refused(world_, accept, payment, refused)));
    EXPECT_EQ(refused, pay::RefuseCode::session_over) << "it keeps its place and pays nothing";
    EXPECT_FALSE(world_.wire.peer);
}

TEST_F(AdmissionTest, WhoPaysALittleAgainAndAgainKeepsItsSession) {
    const auto asked = ask(payer_, SessionId{{1}});
    ASSERT_TRUE(asked->accepted());
    std::uint64_t total = 0;
    std::optional<pay::RefuseCode> refused;
    const auto end = world_.clock.now() + 3 * kUnpaidLimit;
    const auto long_enough = [&] {
        world_.wire.carry(std::uint64_t{1} << 40);
        return world_.clock.now() > end;
    };
    const auto domain = lane_domain(world_.chain.identity());
    ASSERT_TRUE(world_.run(pay_until(payer_, domain, *asked->accepted(), total, long_enough, refused)));
    EXPECT_FALSE(refused);
    EXPECT_TRUE(world_.wire.peer) << "the session is over";
}

/// Sends frames without waiting, then counts the acknowledgements and what the last of them says.
Task<> send_at_once(SessionAccept accept, std::vector<pay::Frame> frames, std::size_t& acknowledged, Amount& total) {
    auto stream = co_await greet(accept);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    for (const auto& frame : frames) {
        auto sent = co_await stream->send(frame);
        EXPECT_TRUE(sent);
    }
    while (acknowledged < frames.size()) {
        auto answer = co_await stream->receive(kStreamLimit);
        const auto* ack = answer ? std::get_if<pay::AckFrame>(&*answer) : nullptr;
        EXPECT_TRUE(ack);
        if (!ack) co_return;
        ++acknowledged;
        total = ack->total;
    }
}

class PacingTest : public AdmissionTest {
protected:
    static constexpr std::uint32_t kFramesPerSecond = 5;
    PacingTest() : AdmissionTest(kFramesPerSecond) {}
    /// How long a new session takes for so many vouchers of `first`, `first + step` …; all of them are acknowledged.
    milliseconds time_for(std::size_t count, std::uint64_t first, std::uint64_t step) {
        const auto asked = ask(payer_, SessionId{{1}});
        EXPECT_TRUE(asked->accepted());
        const auto accept = *asked->accepted();
        std::vector<pay::Frame> frames;
        for (std::size_t i = 0; i < count; ++i) {
            const Amount total(first + i * step);
            const codec::Voucher voucher{payee_, accept.epoch, total, total};
            frames.push_back(
                pay::VoucherFrame::of(codec::sign_voucher(lane_domain(world_.chain.identity()), voucher, payer_)));
        }
        std::size_t acknowledged = 0;
        Amount total;
        const auto begin = world_.clock.now();
        EXPECT_TRUE(world_.run(send_at_once(accept, std::move(frames), acknowledged, total)));
        EXPECT_EQ(acknowledged, count) << "frames were lost";
        EXPECT_EQ(total, Amount(first + (count - 1) * step));
        return std::chrono::duration_cast<milliseconds>(world_.clock.now() - begin);
    }
};

TEST_F(PacingTest, WhoRepeatsItselfIsReadMoreSlowly) {
    EXPECT_GE(time_for(210, 100, 0), milliseconds(1'900)) << "10 frames beyond the burst, at 5 a second";
}

TEST_F(PacingTest, WhoPaysForAChunkEachTimeIsNot) {
    EXPECT_LT(time_for(300, 10, 4), milliseconds(15'000)) << "it would take 20 s at 5 a second";
}

TEST_F(AdmissionTest, AReleaseEndsTheSessionAndIsSettledAtOnce) {
    provider_->node->start();
    const auto asked = ask(payer_, SessionId{{1}});
    ASSERT_TRUE(asked->accepted());
    const auto domain = lane_domain(world_.chain.identity());
    std::uint64_t total = 200;
    std::optional<pay::RefuseCode> refused;
    const auto deadline = world_.clock.now() + kPatience;
    const auto released = [&] {
        world_.chain.lanes[{payer_.address(), payee_}].release_at = UnixTime(seconds(1'900'000'000));
        return world_.clock.now() > deadline;
    };
    ASSERT_TRUE(world_.run(pay_until(payer_, domain, *asked->accepted(), total, released, refused)));
    EXPECT_TRUE(refused) << "its next voucher is accepted";
    ASSERT_TRUE(world_.run(until([&] { return !world_.wire.peer && !world_.sent.empty(); })));
    EXPECT_FALSE(world_.wire.peer) << "the session goes on";
    ASSERT_FALSE(world_.sent.empty()) << "what is held becomes worthless when the lane is released";
    EXPECT_TRUE(world_.sent.front().key.starts_with("settle:"));
}

TEST_F(AdmissionTest, TheEndOfTheLaneEndsTheSession) {
    const auto asked = ask(payer_, SessionId{{1}});
    ASSERT_TRUE(asked->accepted());
    std::uint64_t total = 200;
    std::optional<pay::RefuseCode> refused;
    const auto deadline = world_.clock.now() + kPatience;
    const auto ended = [&] {
        world_.chain.lanes[{payer_.address(), payee_}].epoch = 1;
        return world_.clock.now() > deadline;
    };
    const auto domain = lane_domain(world_.chain.identity());
    ASSERT_TRUE(world_.run(pay_until(payer_, domain, *asked->accepted(), total, ended, refused)));
    EXPECT_TRUE(refused) << "its next voucher is accepted";
    ASSERT_TRUE(world_.run(until([&] { return !world_.wire.peer; })));
    EXPECT_FALSE(world_.wire.peer) << "the session goes on";
}

/// A reorganisation has undone the deposit, or it was spent elsewhere: the service stops although the payer, who has
/// paid ahead, says nothing; and what is lost is what rested on its signature.
TEST_F(AdmissionTest, ADepositThatVanishesEndsTheService) {
    const auto asked = ask(payer_, SessionId{{1}});
    ASSERT_TRUE(asked->accepted());
    std::uint64_t total = 9'000;
    std::optional<pay::RefuseCode> refused;
    const auto domain = lane_domain(world_.chain.identity());
    const auto paid = [&] { return total > 9'000; };
    ASSERT_TRUE(world_.run(pay_until(payer_, domain, *asked->accepted(), total, paid, refused)));
    EXPECT_FALSE(refused);
    ASSERT_TRUE(world_.wire.peer);
    world_.chain.accounts[payer_.address()].free = Amount{};
    ASSERT_TRUE(world_.run(until([&] { return !world_.wire.peer; })));
    EXPECT_FALSE(world_.wire.peer) << "the session goes on";
    EXPECT_LE(Amount(total), Amount(10'000)) << "the risk limit";
}

/// Pays so many vouchers of so many units, waiting for the answers or not, and takes what the gate gives after each;
/// then takes all it can get and leaves.
Task<> stop_paying(World& world, const crypto::PrivateKey& payer, SessionAccept accept, std::vector<unsigned> payments,
                   bool waits, std::uint64_t& paid) {
    auto stream = co_await PaymentStream::connect(accept.offer.client_address, accept.offer.server_address,
                                                  accept.offer.payment_port, kStreamLimit);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
    const pay::Frame hello = pay::HelloFrame{accept.id};
    std::ignore = co_await stream->send(hello);
    std::ignore = co_await stream->receive(kStreamLimit);
    for (const auto payment : payments) {
        paid += payment;
        const codec::Voucher voucher{accept.payee, accept.epoch, Amount(paid), Amount(paid)};
        const pay::Frame frame =
            pay::VoucherFrame::of(codec::sign_voucher(lane_domain(world.chain.identity()), voucher, payer));
        std::ignore = co_await stream->send(frame);
        if (waits) std::ignore = co_await stream->receive(kStreamLimit);
        world.wire.carry(payment * std::uint64_t{7} * 1024);
    }
    world.wire.carry(std::uint64_t{1} << 40);
    const pay::Frame bye = pay::ByeFrame{};
    std::ignore = co_await stream->send(bye);
    for (;;) {
        auto frame = co_await stream->receive(kStreamLimit);
        if (!frame || std::holds_alternative<pay::ByeFrame>(*frame)) break;
    }
    world.wire.carry(std::uint64_t{1} << 40);
    stream->close();
}

TEST_F(AdmissionTest, TwoHundredStopsLeaveNoMoreThanTheCreditUnpaid) {
    constexpr std::uint64_t kCredit = 1 << 20;
    constexpr std::uint64_t kSlack = 64 * 1024;
    std::mt19937 random(20'261'123);
    const auto pick = [&](unsigned least, unsigned most) {
        return std::uniform_int_distribution<unsigned>(least, most)(random);
    };
    std::uint64_t most = 0;
    for (unsigned i = 0; i < 200; ++i) {
        const auto payer = crypto::PrivateKey::generate(world_.rng);
        world_.chain.accounts[payer.address()].free = Amount(1'000'000);
        ports::SessionRecord earlier;
        earlier.id = SessionId{{static_cast<std::uint8_t>(i), 8}};
        ASSERT_TRUE(world_.run(keep_of(payer.address(), 0, 0, earlier)));
        const auto asked = ask(payer, SessionId{{static_cast<std::uint8_t>(i), 9}});
        ASSERT_TRUE(asked->accepted()) << "stop " << i;
        std::vector<unsigned> payments(pick(0, 4));
        for (auto& payment : payments) payment = pick(1, 2'000);
        std::uint64_t paid = 0;
        ASSERT_TRUE(
            world_.run(stop_paying(world_, payer, *asked->accepted(), std::move(payments), pick(0, 1) == 1, paid)));
        const auto used = world_.wire.provider.total();
        const auto covered = pay::bytes_covered(provider_settings().provider.tariff, Amount(paid), milliseconds(0));
        const auto unpaid = used - std::min(used, covered);
        EXPECT_LE(unpaid, kCredit + kSlack) << "stop " << i;
        EXPECT_GE(used, kCredit) << "the gate never opened";
        most = std::max(most, unpaid);
        ASSERT_TRUE(world_.run(until([&] { return !world_.wire.peer; })));
    }
    std::printf("200 stops: at most %llu bytes unpaid, the credit is %llu\n", static_cast<unsigned long long>(most),
                static_cast<unsigned long long>(kCredit));
    EXPECT_GE(most, kCredit / 2) << "nobody used the credit";
}

}  // namespace
}  // namespace myst::node::test
