// The outbox and money for gas: replacement, and the limits that hold transactions back.
#include <gtest/gtest.h>

#include "myst/chain/test_support/outbox_fixture.hpp"
#include "myst/codec/transaction.hpp"

namespace myst::chain {
namespace {

using testing::Fault;
using testing::intent_of;
using testing::OutboxBench;

constexpr std::uint64_t kGwei = 1'000'000'000;

/// Offers more as soon as a transaction was looked at twice.
void hurry(OutboxBench& bench) {
    bench.settings.replace_after = milliseconds(2);
    bench.settings.fees.median_multiple = 1'000'000;
    bench.restart();
}

std::vector<codec::Transaction1559> received(const OutboxBench& bench) {
    std::vector<codec::Transaction1559> transactions;
    for (const auto& raw : bench.node.received()) {
        const auto decoded = codec::decode_1559(parse_hex(raw).value()).value();
        if (transactions.empty() || !(transactions.back() == decoded)) transactions.push_back(decoded);
    }
    return transactions;
}

TEST(TxOutboxFees, AStuckTransactionIsReplacedByOneThatOffersMore) {
    for (const std::uint64_t times : {10U, 40U}) {
        OutboxBench bench;
        hurry(bench);
        bench.on_idle = [&] {
            if (!bench.node.received().empty()) bench.node.mine();
        };
        bench.node.auto_mine = false;
        bench.plan = [&](std::size_t, const std::string& method) {
            if (method == "eth_sendRawTransaction") bench.node.base_fee = times * kGwei;
            return Fault::none;
        };
        const auto outcome = bench.submit("a");
        ASSERT_TRUE(outcome && *outcome) << times;
        const auto sent = received(bench);
        ASSERT_GE(sent.size(), 2U);
        for (std::size_t i = 1; i < sent.size(); ++i) {
            EXPECT_GE(sent[i].max_fee_per_gas * 8, sent[i - 1].max_fee_per_gas * 9);
            EXPECT_GE(sent[i].max_priority_fee_per_gas * 8, sent[i - 1].max_priority_fee_per_gas * 9);
            auto same = sent[i];
            same.max_fee_per_gas = sent[0].max_fee_per_gas;
            same.max_priority_fee_per_gas = sent[0].max_priority_fee_per_gas;
            EXPECT_EQ(same, sent[0]) << "only the fees differ";
        }
        EXPECT_EQ(bench.node.executions(intent_of("a").data), 1U);
    }
}

TEST(TxOutboxFees, TheOutcomeIsWhicheverVersionIsMined) {
    OutboxBench bench;
    hurry(bench);
    bench.node.auto_mine = false;
    // The replacement never gets through: the node keeps the first version, and mines it when fees have fallen.
    bench.plan = [&](std::size_t, const std::string& method) {
        if (method != "eth_sendRawTransaction") return Fault::none;
        bench.node.base_fee = 20 * kGwei;
        return bench.node.received().empty() ? Fault::none : Fault::lose_request;
    };
    std::size_t rounds = 0;
    bench.on_idle = [&] {
        if (++rounds < 20) return;
        bench.node.base_fee = kGwei;
        bench.node.mine();
    };
    const auto outcome = bench.submit("a");
    ASSERT_TRUE(outcome && *outcome);
    EXPECT_FALSE(bench.outbox->status().halted);
    bench.restart();
    auto store = OutboxStore::open(bench.settings.path);
    ASSERT_TRUE(store);
    const auto entry = (*store)->find("a");
    ASSERT_TRUE(entry);
    EXPECT_GE(entry->versions.size(), 2U);
    EXPECT_EQ((*outcome)->hash, entry->versions[0].hash);
}

TEST(TxOutboxFees, NothingIsReplacedWhileFeesAreTheSame) {
    OutboxBench bench;
    hurry(bench);
    bench.node.auto_mine = false;
    std::size_t rounds = 0;
    bench.on_idle = [&] {
        if (++rounds == 20) bench.node.mine();
    };
    ASSERT_TRUE(*bench.submit("a"));
    EXPECT_EQ(received(bench).size(), 1U);
}

/// Fees rise as soon as the first version is sent, and stay up for some rounds; the last problem the status told of.
std::optional<Error> problem_while_fees_are(std::uint64_t base_fee, OutboxBench& bench) {
    hurry(bench);
    bench.node.auto_mine = false;
    std::optional<Error> reason;
    bench.plan = [&, base_fee](std::size_t, const std::string& method) {
        if (method == "eth_sendRawTransaction") bench.node.base_fee = base_fee;
        return Fault::none;
    };
    std::size_t rounds = 0;
    bench.on_idle = [&] {
        if (const auto& problem = bench.outbox->status().problem) reason = problem;
        if (++rounds < 10) return;
        bench.plan = nullptr;
        bench.node.base_fee = kGwei;
        bench.node.mine();
    };
    EXPECT_TRUE(*bench.submit("a"));
    bench.plan = nullptr;
    bench.on_idle = nullptr;
    return reason;
}

TEST(TxOutboxFees, AReplacementBeyondTheLimitWaits) {
    OutboxBench bench;
    bench.settings.fees.max_fee_per_gas = 30 * kGwei;
    const auto reason = problem_while_fees_are(100 * kGwei, bench);
    ASSERT_TRUE(reason);
    EXPECT_EQ(reason->code, ErrorCode::limit_exceeded);
    for (const auto& each : received(bench)) EXPECT_LE(each.max_fee_per_gas, 30 * kGwei);
}

TEST(TxOutboxFees, FeesPerHourAreLimitedAcrossTransactionsAndRestarts) {
    OutboxBench bench;
    ManualClock clock;
    bench.clock = &clock;
    // One transaction: 60,000 gas at (2 · 1 + 1) gwei. Two of them fit, three do not.
    bench.settings.fees.max_per_hour = Uint256(2 * 180'000) * kGwei;
    bench.restart();
    ASSERT_TRUE(*bench.submit("a"));
    bench.restart();
    ASSERT_TRUE(*bench.submit("b"));
    clock.advance(seconds(3'599));
    bench.restart();
    std::optional<Error> reason;
    std::size_t rounds = 0;
    bench.plan = [&](std::size_t, const std::string&) { return rounds >= 5 ? Fault::crash_before : Fault::none; };
    bench.on_idle = [&] {
        ++rounds;
        if (bench.outbox->status().problem) reason = bench.outbox->status().problem;
    };
    EXPECT_FALSE(bench.submit("c")) << "it waits";
    ASSERT_TRUE(reason);
    EXPECT_EQ(reason->code, ErrorCode::limit_exceeded);
    EXPECT_NE(reason->message.find("hour"), std::string::npos) << reason->message;
    EXPECT_EQ(bench.node.transactions(), 2U);
    bench.plan = nullptr;
    clock.advance(milliseconds(2'000));  // and a second more than an hour has passed
    bench.restart();
    ASSERT_TRUE(*bench.submit("c"));
    EXPECT_EQ(bench.node.transactions(), 3U);
}

TEST(TxOutboxFees, ABaseFeeOutOfProportionIsNotPaid) {
    OutboxBench bench;
    bench.settings.fees.max_fee_per_gas = Uint256(1'000'000) * kGwei;
    bench.settings.fees.max_per_hour = Uint256(1) << 120;
    bench.settings.fees.median_floor = 0;
    bench.settings.fee_sample = milliseconds(0);
    bench.restart();
    std::size_t rounds = 0;
    bench.plan = [&](std::size_t, const std::string& method) {
        if (method != "eth_getTransactionReceipt") return Fault::none;
        return ++rounds < 40 ? Fault::lose_request : Fault::none;  // time for samples
    };
    ASSERT_TRUE(*bench.submit("a"));
    bench.plan = nullptr;
    bench.node.base_fee = 100 * kGwei;
    rounds = 0;
    std::optional<Error> reason;
    bench.on_idle = [&] {
        if (bench.outbox->status().problem) reason = bench.outbox->status().problem;
        if (++rounds == 4) bench.node.base_fee = kGwei;
    };
    ASSERT_TRUE(*bench.submit("b"));
    ASSERT_TRUE(reason);
    EXPECT_NE(reason->message.find("median"), std::string::npos) << reason->message;
    EXPECT_GE(rounds, 4U);
    for (const auto& each : received(bench)) EXPECT_LT(each.max_fee_per_gas, 10 * kGwei);
}

TEST(TxOutboxFees, AReplacementIsLimitedByTheHourToo) {
    OutboxBench bench;
    bench.settings.fees.max_per_hour = Uint256(200'000) * kGwei;  // the first version fits, a dearer one does not
    const auto reason = problem_while_fees_are(20 * kGwei, bench);
    ASSERT_TRUE(reason);
    EXPECT_NE(reason->message.find("hour"), std::string::npos) << reason->message;
    EXPECT_EQ(received(bench).size(), 1U);
}

}  // namespace
}  // namespace myst::chain
