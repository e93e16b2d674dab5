// Payment streams as payers with ideas of their own would use them.
#include <random>

#include "myst/node/payment_stream.hpp"
#include "myst/node/test_support/admission_fixture.hpp"

namespace myst::node::test {
namespace {

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

TEST_F(AdmissionTest, WhatPassesUntilTheGateIsClosedIsOnTheBill) {
    const auto asked = ask(payer_, SessionId{{1}});
    ASSERT_TRUE(asked->accepted());
    world_.wire.last_moment = 12'345;
    std::vector<ports::SessionRecord> sessions;
    ASSERT_TRUE(world_.run(read_sessions(sessions)));
    ASSERT_EQ(sessions.size(), 1U);
    EXPECT_EQ(sessions.front().bytes_down, 12'345U);
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
    auto stream = co_await greet(accept);
    EXPECT_TRUE(stream);
    if (!stream) co_return;
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
