#include "myst/chain/tx_outbox.hpp"

#include <gtest/gtest.h>

#include <random>

#include "myst/chain/json_rpc.hpp"
#include "myst/chain/lanes_contract.hpp"
#include "myst/chain/test_support/outbox_fixture.hpp"
#include "myst/codec/abi.hpp"

namespace myst::chain {
namespace {

using testing::Fault;
using testing::intent_of;
using testing::OutboxBench;
using testing::Outcome;

TEST(TxOutbox, SendsOnceAndReportsTheOutcome) {
    OutboxBench bench;
    const auto first = bench.submit("a");
    ASSERT_TRUE(first && *first) << (*first).error().message;
    EXPECT_TRUE((*first)->succeeded);
    EXPECT_EQ((*first)->block.number, 1U);
    EXPECT_EQ((*first)->gas_used, 21000U);
    const auto second = bench.submit("b");
    ASSERT_TRUE(*second);
    const auto again = bench.submit("a");
    ASSERT_TRUE(*again);
    EXPECT_EQ((*again)->hash, (*first)->hash);
    EXPECT_EQ(bench.node.transactions(), 2U);
}

TEST(TxOutbox, RefusesAKeyForAnotherTransaction) {
    OutboxBench bench;
    ASSERT_TRUE(*bench.submit("a"));
    auto other = intent_of("a");
    other.data.push_back(1);
    const auto outcome = bench.submit(other);
    ASSERT_FALSE(*outcome);
    EXPECT_EQ(outcome->error().code, ErrorCode::already_exists);
    EXPECT_EQ(bench.node.transactions(), 1U);
}

TEST(TxOutbox, ReportsARevertThatIsSeenBeforehand) {
    OutboxBench bench;
    bench.node.estimate_fault = RpcFault{3, "execution reverted", codec::abi::Encoder().call("NothingExiting()")};
    const auto outcome = bench.submit("a");
    ASSERT_FALSE(*outcome);
    EXPECT_EQ(outcome->error().code, ErrorCode::failed_precondition);
    EXPECT_NE(outcome->error().message.find("NothingExiting"), std::string::npos);
    bench.node.estimate_fault.reset();
    EXPECT_FALSE(*bench.submit("a")) << "the same key keeps its outcome";
    EXPECT_TRUE(*bench.submit("a:2"));
    EXPECT_EQ(bench.node.transactions(), 1U);
}

TEST(TxOutbox, ReportsARevertThatHappenedInTheBlock) {
    OutboxBench bench;
    bench.node.revert = true;
    const auto outcome = bench.submit("a");
    ASSERT_TRUE(*outcome);
    EXPECT_FALSE((*outcome)->succeeded);
}

TEST(TxOutbox, GivesUpOnAnEstimationThatKeepsFailing) {
    OutboxBench bench;
    bench.node.estimate_fault = RpcFault{-32000, "strange", {}};
    const auto outcome = bench.submit("a");
    ASSERT_FALSE(*outcome);
    EXPECT_NE(outcome->error().message.find("strange"), std::string::npos);
    EXPECT_EQ(bench.node.calls["eth_estimateGas"], bench.settings.estimate_attempts);
}

TEST(TxOutbox, AsksForEtherWhenTheWalletIsEmpty) {
    OutboxBench bench;
    bench.node.balance = 5;
    const auto outcome = bench.submit("a");
    ASSERT_FALSE(*outcome);
    EXPECT_EQ(outcome->error().code, ErrorCode::insufficient_funds);
    EXPECT_NE(outcome->error().cure.find("0x"), std::string::npos);
}

TEST(TxOutbox, WaitsWhileFeesAreTooHigh) {
    OutboxBench bench;
    bench.node.base_fee = 1'000'000'000'000;
    std::size_t rounds = 0;
    bench.on_idle = [&] {
        if (++rounds != 4) return;
        EXPECT_EQ(bench.node.transactions(), 0U);
        bench.node.base_fee = 1'000'000'000;
    };
    ASSERT_TRUE(*bench.submit("a"));
    EXPECT_GE(rounds, 4U);
}

Task<> open_one(TxOutbox& outbox, std::optional<Result<>>& outcome) {
    outcome = co_await outbox.open();
}

Task<> open_all(TxOutbox& outbox, std::vector<std::optional<Result<>>>& outcomes) {
    TaskGroup group(co_await asio::this_coro::executor);
    for (auto& each : outcomes) group.spawn("open", open_one(outbox, each));
    co_await group.join();
}

TEST(TxOutbox, OpensOnceHoweverManyBegin) {
    for (int round = 0; round < 20; ++round) {
        OutboxBench bench;
        std::vector<std::optional<Result<>>> outcomes(8);
        sys::testing::run_task(bench.context, open_all(*bench.outbox, outcomes));
        for (const auto& each : outcomes) {
            ASSERT_TRUE(each);
            EXPECT_TRUE(*each) << each->error().describe();
        }
    }
}

TEST(TxOutbox, RefusesAnotherChain) {
    OutboxBench bench;
    bench.node.chain_id = 1;
    const auto outcome = bench.submit("a");
    ASSERT_FALSE(*outcome);
    EXPECT_NE(outcome->error().message.find("serves chain 1"), std::string::npos);
    EXPECT_TRUE(bench.node.received().empty());
}

TEST(TxOutbox, RefusesAFileOfAnotherWallet) {
    OutboxBench bench;
    ASSERT_TRUE(*bench.submit("a"));
    bench.settings.chain_id = 5;
    bench.restart();
    const auto outcome = bench.submit("b");
    ASSERT_FALSE(*outcome);
    EXPECT_EQ(outcome->error().code, ErrorCode::failed_precondition);
}

TEST(TxOutbox, SendsTheSameBytesAgainWhenTheNetworkForgot) {
    OutboxBench bench;
    bench.node.auto_mine = false;
    std::size_t rounds = 0;
    bench.on_idle = [&] {
        ++rounds;
        if (rounds == 3) bench.node.drop_waiting();
        if (bench.node.received().size() >= 2) bench.node.mine();
    };
    ASSERT_TRUE(*bench.submit("a"));
    ASSERT_GE(bench.node.received().size(), 2U);
    for (const auto& each : bench.node.received()) EXPECT_EQ(each, bench.node.received().front());
    EXPECT_EQ(bench.node.transactions(), 1U);
}

TEST(TxOutbox, SendsAgainWhatAReorganisationDropped) {
    for (const bool keep : {true, false}) {
        OutboxBench bench;
        ASSERT_TRUE(*bench.submit("a"));
        bench.node.reorganise(1, keep);
        EXPECT_EQ(bench.node.executions(intent_of("a").data), 0U);
        bench.on_idle = [&] { bench.node.mine(); };
        ASSERT_TRUE(*bench.submit("b"));
        EXPECT_EQ(bench.node.executions(intent_of("a").data), 1U);
        EXPECT_EQ(bench.node.executions(intent_of("b").data), 1U);
    }
}

TEST(TxOutbox, ReportsOnlyAfterTheConfirmations) {
    OutboxBench bench;
    bench.settings.confirmations = 4;
    bench.restart();
    bench.on_idle = [&] {
        if (bench.node.transactions() > 0) bench.node.mine();
    };
    const auto outcome = bench.submit("a");
    ASSERT_TRUE(*outcome);
    EXPECT_GE(bench.node.calls["eth_getTransactionReceipt"], 3U);
}

TEST(TxOutbox, WhatAnEndpointTakesAndDropsIsSentAgainUntilItIsMined) {
    OutboxBench bench;
    bench.node.echo = true;
    bench.on_idle = [&] {
        if (bench.node.received().size() >= 5) bench.node.echo = false;
    };
    ASSERT_TRUE(*bench.submit("a"));
    ASSERT_GE(bench.node.received().size(), 6U);
    for (const auto& each : bench.node.received()) EXPECT_EQ(each, bench.node.received().front());
    EXPECT_EQ(bench.node.executions(intent_of("a").data), 1U);
    EXPECT_EQ(bench.node.transactions(), 1U);
}

TEST(TxOutbox, AnEndpointThatTakesEverythingHidesNoForeignUse) {
    OutboxBench bench;
    bench.node.echo = true;
    std::size_t rounds = 0;
    bench.on_idle = [&] {
        if (++rounds == 3) bench.node.use_nonce_elsewhere();
    };
    const auto outcome = bench.submit("a");
    ASSERT_TRUE(outcome);
    ASSERT_FALSE(*outcome);
    EXPECT_NE(outcome->error().message.find("another program"), std::string::npos) << outcome->error().message;
    EXPECT_TRUE(bench.outbox->status().halted);
}

TEST(TxOutbox, HaltsWhenAnotherProgramUsesTheWallet) {
    OutboxBench bench;
    bench.node.auto_mine = false;
    std::size_t rounds = 0;
    bench.on_idle = [&] {
        if (++rounds == 3) bench.node.use_nonce_elsewhere();
    };
    const auto outcome = bench.submit("a");
    ASSERT_FALSE(*outcome);
    EXPECT_EQ(outcome->error().code, ErrorCode::failed_precondition);
    EXPECT_NE(outcome->error().message.find("another program"), std::string::npos);
    ASSERT_TRUE(bench.outbox->status().halted);
    bench.node.auto_mine = true;
    bench.on_idle = nullptr;
    bench.restart();
    ASSERT_TRUE(*bench.submit("b")) << "the operator has looked at it, and it goes on";
    EXPECT_EQ(bench.node.executions(intent_of("a").data), 0U);
    EXPECT_EQ(bench.submit("a")->error().message, outcome->error().message) << "the lost intent stays refused";
}

Task<> submit_to_halted(TxOutbox& outbox, ports::TxIntent intent, Outcome& outcome) {
    outcome = co_await outbox.submit(std::move(intent));
}

Task<> find_open(TxOutbox& outbox, ports::TxKind kind, std::optional<ports::TxIntent>& found) {
    auto answer = co_await outbox.open_intent(kind);
    EXPECT_TRUE(answer);
    if (answer) found = *answer;
}

TEST(TxOutbox, WhatFailedBecauseOfAHaltIsNotSentByALaterRun) {
    OutboxBench bench;
    bench.settings.chain_id = 1;  // the double serves another one
    bench.settings.path += "-halted";
    bench.restart();
    ASSERT_FALSE(*bench.submit("exit:1"));
    ASSERT_TRUE(bench.outbox->status().halted);
    Outcome late;
    sys::testing::run_task(bench.context, submit_to_halted(*bench.outbox, intent_of("withdraw:1"), late));
    ASSERT_FALSE(*late);
    for (const auto kind : {ports::TxKind::exit, ports::TxKind::withdraw}) {
        std::optional<ports::TxIntent> open;
        sys::testing::run_task(bench.context, find_open(*bench.outbox, kind, open));
        EXPECT_FALSE(open) << to_string(kind);
    }
    std::remove(bench.settings.path.c_str());
}

TEST(TxOutbox, AnOpenIntentIsFoundByItsKind) {
    OutboxBench bench;
    bench.node.auto_mine = false;
    bench.plan = [](std::size_t, const std::string& method) {
        return method == "eth_sendRawTransaction" ? Fault::crash_after : Fault::none;
    };
    std::optional<ports::TxIntent> open;
    ASSERT_FALSE(bench.submit("settlement:1"));
    bench.restart();
    sys::testing::run_task(bench.context, find_open(*bench.outbox, ports::TxKind::settle, open));
    EXPECT_FALSE(open) << "another kind";
    ASSERT_FALSE(bench.submit("settle:1"));
    bench.restart();
    sys::testing::run_task(bench.context, find_open(*bench.outbox, ports::TxKind::settle, open));
    ASSERT_TRUE(open);
    EXPECT_EQ(open->key, "settle:1");
    open.reset();
    bench.plan = nullptr;
    bench.node.auto_mine = true;
    bench.node.mine();
    ASSERT_TRUE(*bench.submit("settle:1"));
    sys::testing::run_task(bench.context, find_open(*bench.outbox, ports::TxKind::settle, open));
    EXPECT_FALSE(open) << "it is mined";
}

/// Files of earlier versions have them.
TEST(TxOutbox, KindsAreWrittenAsTheyAlwaysWere) {
    using ports::TxKind;
    const std::pair<TxKind, std::string_view> words[] = {{TxKind::deposit, "deposit"},
                                                         {TxKind::set_owner, "set-owner"},
                                                         {TxKind::exit, "exit"},
                                                         {TxKind::withdraw, "withdraw"},
                                                         {TxKind::approve, "approve"},
                                                         {TxKind::register_provider, "register"},
                                                         {TxKind::settle, "settle"},
                                                         {TxKind::request_release, "request-release"},
                                                         {TxKind::release, "release"},
                                                         {TxKind::request_unregister, "request-unregister"},
                                                         {TxKind::unregister, "unregister"}};
    for (const auto& [kind, word] : words) EXPECT_EQ(to_string(kind), word);
}

TEST(TxOutbox, DoesNotBelieveASingleNonce) {
    OutboxBench bench;
    bench.plan = [&](std::size_t, const std::string& method) {
        if (method == "eth_getTransactionCount") bench.node.count_lie = bench.node.calls[method] == 0 ? 5 : 0;
        return Fault::none;
    };
    ASSERT_TRUE(*bench.submit("a"));
    EXPECT_EQ(bench.node.executions(intent_of("a").data), 1U);
}

TEST(TxOutbox, TheJournalKnowsBetterThanALaggingEndpoint) {
    OutboxBench bench;
    ASSERT_TRUE(*bench.submit("a"));
    bench.node.count_lie = -1;
    ASSERT_TRUE(*bench.submit("b"));
    EXPECT_EQ(bench.node.transactions(), 2U);
}

TEST(TxOutbox, EveryIntentIsExecutedOnceUnderFaults) {
    for (const auto fault : {Fault::lose_request, Fault::lose_answer, Fault::busy, Fault::truncate, Fault::wrong_id}) {
        OutboxBench bench;
        // Every fourth request on average, out of step with the rounds: else the same one would fail in each.
        std::mt19937 dice(4);
        bench.plan = [&](std::size_t, const std::string&) { return dice() % 4 == 0 ? fault : Fault::none; };
        for (const auto* key : {"a", "b", "c", "d"}) {
            ASSERT_TRUE(*bench.submit(key)) << static_cast<int>(fault);
            EXPECT_EQ(bench.node.executions(intent_of(key).data), 1U) << static_cast<int>(fault);
        }
        EXPECT_EQ(bench.node.transactions(), 4U);
    }
}

TEST(TxOutbox, EveryIntentIsExecutedOnceWhereverItCrashes) {
    std::size_t crash_points = 0;
    for (const auto fault : {Fault::crash_before, Fault::crash_after}) {
        for (std::size_t at = 0;; ++at) {
            OutboxBench bench;
            bench.plan = [&](std::size_t number, const std::string&) { return number == at ? fault : Fault::none; };
            const auto first = bench.submit("a");
            const bool finished = first.has_value();
            bench.plan = nullptr;
            bench.restart();
            const auto outcome = bench.submit("a");
            ASSERT_TRUE(outcome && *outcome) << "crash at request " << at;
            EXPECT_EQ(bench.node.executions(intent_of("a").data), 1U) << "crash at request " << at;
            EXPECT_EQ(bench.node.transactions(), 1U);
            ASSERT_TRUE(*bench.submit("b"));
            EXPECT_EQ(bench.node.transactions(), 2U);
            if (finished) break;
            ++crash_points;
        }
    }
    EXPECT_GE(crash_points, 16U);
}

/// Crashes between two writes, where no request separates them: the journal as it is at that moment.
TEST(TxOutbox, SendsWhatWasSignedButNotSent) {
    OutboxBench bench;
    bench.node.send_fault = RpcFault{-32000, "temporarily closed", {}};
    bench.plan = [&](std::size_t, const std::string& method) {
        return method == "eth_sendRawTransaction" ? Fault::crash_before : Fault::none;
    };
    EXPECT_FALSE(bench.submit("a"));
    bench.plan = nullptr;
    bench.node.send_fault.reset();
    bench.restart();
    auto store = OutboxStore::open(bench.settings.path);
    ASSERT_TRUE(store);
    const auto entry = (*store)->find("a");
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->state, TxState::is_signed);
    store->reset();
    ASSERT_TRUE(*bench.submit("a"));
    ASSERT_EQ(bench.node.received().size(), 1U);
    EXPECT_EQ(bench.node.received().front(), to_hex0x(entry->versions.at(0).raw));
}

const UnixTime kNow{seconds(1'700'000'000)};

codec::SignedTransaction version_of(std::uint8_t i) {
    Hash32 hash;
    hash.bytes[0] = i;
    return {Bytes{i}, hash};
}

ports::TxOutcome outcome_of(std::uint8_t i) {
    ports::TxOutcome outcome;
    outcome.hash = version_of(i).hash;
    return outcome;
}

TEST(OutboxStore, RefusesImpossibleSteps) {
    auto store = OutboxStore::open(":memory:");
    ASSERT_TRUE(store);
    const auto entry = (*store)->add(intent_of("a"), 10);
    ASSERT_TRUE(entry);
    EXPECT_FALSE((*store)->set_mined(entry->id, outcome_of(1), false));
    EXPECT_FALSE((*store)->set_unmined(entry->id));
    EXPECT_FALSE((*store)->add_version(entry->id, version_of(1), kNow)) << "not signed yet";
    ASSERT_TRUE((*store)->set_signed(entry->id, 0, version_of(1), kNow));
    EXPECT_FALSE((*store)->set_signed(entry->id, 1, version_of(2), kNow)) << "its nonce is chosen once and for all";
    EXPECT_FALSE((*store)->set_mined(entry->id, outcome_of(2), true)) << "the failed step left no version";
    ASSERT_TRUE((*store)->set_mined(entry->id, outcome_of(1), true));
    EXPECT_FALSE((*store)->set_unmined(entry->id)) << "settled";
    EXPECT_FALSE((*store)->add_version(entry->id, version_of(2), kNow)) << "mined";
    EXPECT_FALSE((*store)->set_closed(entry->id, {}));
    EXPECT_EQ(*(*store)->next_nonce(), 1U);
    const auto other = (*store)->add(intent_of("b"), 10);
    ASSERT_TRUE(other);
    EXPECT_FALSE((*store)->set_signed(other->id, 0, version_of(3), kNow)) << "a nonce is used once";
    EXPECT_FALSE((*store)->set_mined(other->id, outcome_of(1), false)) << "another intent's version";
}

TEST(OutboxStore, KeepsEveryVersionOfANonce) {
    auto store = OutboxStore::open(":memory:");
    ASSERT_TRUE(store);
    const auto a = (*store)->add(intent_of("a"), 10);
    const auto b = (*store)->add(intent_of("b"), 10);
    ASSERT_TRUE(a && b);
    ASSERT_TRUE((*store)->set_signed(a->id, 0, version_of(1), kNow - seconds(10)));
    ASSERT_TRUE((*store)->set_signed(b->id, 1, version_of(2), kNow));
    ASSERT_TRUE((*store)->add_version(a->id, version_of(3), kNow));
    const auto found = (*store)->find("a");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->versions, (std::vector{version_of(1), version_of(3)}));
    ASSERT_TRUE((*store)->set_mined(a->id, outcome_of(1), false)) << "the older one may win";
    EXPECT_EQ((*store)->find("a")->outcome.hash, version_of(1).hash);
    EXPECT_EQ(*(*store)->signed_since(kNow, 0), (std::vector<Bytes>{{2}, {3}})) << "one of each intent";
    EXPECT_EQ(*(*store)->signed_since(kNow, a->id), (std::vector<Bytes>{{2}}));
    EXPECT_TRUE((*store)->signed_since(kNow + seconds(1), 0)->empty());
}

/// The tables as they were first. Written down here, so that a change of the store does not change it.
constexpr auto kFirstSchema = R"(
    CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE outbox(
        id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, purpose TEXT NOT NULL,
        target BLOB NOT NULL, data BLOB NOT NULL, state INTEGER NOT NULL DEFAULT 0,
        nonce INTEGER UNIQUE, raw BLOB, hash BLOB,
        block_number INTEGER, block_hash BLOB, block_time INTEGER, succeeded INTEGER, gas_used INTEGER,
        settled INTEGER NOT NULL DEFAULT 0,
        error_code INTEGER, error_message TEXT, error_cure TEXT,
        CHECK(state <> 1 OR (nonce IS NOT NULL AND raw IS NOT NULL AND hash IS NOT NULL)),
        CHECK(state <> 2 OR (hash IS NOT NULL AND block_hash IS NOT NULL)));
    CREATE INDEX outbox_unfinished ON outbox(id) WHERE state < 2 OR (state = 2 AND settled = 0);
)";

/// A file written before there were versions.
TEST(OutboxStore, ReadsFilesWithOneVersionPerIntent) {
    const testing::TemporaryFile file("outbox_old");
    {
        auto database = sys::Database::open(file.path, sys::Durability::full);
        ASSERT_TRUE(database);
        ASSERT_TRUE(database->migrate({kFirstSchema}));
        const std::string hash = "x'" + std::string(64, '1') + "'";
        const std::string target = "x'" + std::string(40, '2') + "'";
        ASSERT_TRUE(
            database->execute("INSERT INTO outbox(key,purpose,target,data,state,nonce,raw,hash,block_number,"
                              "block_hash,block_time,succeeded,gas_used) VALUES('m','',x'',"
                              "x'',2,0,x'02'," +
                              hash + ",7," + hash + ",0,1,5)"));
        ASSERT_TRUE(database->execute("UPDATE outbox SET target=" + target));
        ASSERT_TRUE(database->execute("INSERT INTO outbox(key,purpose,target,data) VALUES('s',''," + target + ",x'')"));
    }
    auto store = OutboxStore::open(file.path);
    ASSERT_TRUE(store) << store.error().describe();
    const auto mined = (*store)->find("m");
    ASSERT_TRUE(mined) << mined.error().describe();
    EXPECT_EQ(mined->state, TxState::mined);
    ASSERT_EQ(mined->versions.size(), 1U);
    EXPECT_EQ(mined->versions[0].raw, Bytes{2});
    EXPECT_EQ(mined->outcome.hash, mined->versions[0].hash);
    EXPECT_EQ(mined->outcome.block.number, 7U);
    EXPECT_EQ((*store)->find("s")->state, TxState::stored);
    EXPECT_EQ(*(*store)->next_nonce(), 1U);
}

TEST(OutboxStore, IsBounded) {
    auto store = OutboxStore::open(":memory:");
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->add(intent_of("a"), 2));
    ASSERT_TRUE((*store)->add(intent_of("b"), 2));
    EXPECT_EQ((*store)->add(intent_of("c"), 2).error().code, ErrorCode::limit_exceeded);
    EXPECT_TRUE((*store)->add(intent_of("a"), 2)) << "known keys are still found";
}

TEST(TxOutbox, RefusesMalformedIntents) {
    OutboxBench bench;
    EXPECT_EQ(bench.submit("")->error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(bench.submit(std::string(201, 'x'))->error().code, ErrorCode::invalid_argument);
    auto large = intent_of("a");
    large.data.resize(200'000);
    EXPECT_EQ(bench.submit(large)->error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace myst::chain
