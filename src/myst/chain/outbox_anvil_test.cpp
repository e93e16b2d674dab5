// Transactions that get stuck, lost, reorganised away, overtaken or reverted, on a real node.
#include "myst/chain/test_support/chain_anvil_fixture.hpp"
#include "myst/codec/transaction.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;
using testing::submit_while_running;
using testing::wait_for_pending;

constexpr std::uint64_t kGwei = 1'000'000'000;

class OutboxAnvil : public testing::ChainAnvil {
protected:
    void SetUp() override {
        ChainAnvil::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        approve_deposits();
    }
};

/// The base fee rises as soon as the transaction waits; blocks are empty until somebody offers enough.
Task<Result<>> outprice(JsonRpcClient& client, std::uint64_t fee, Address wallet, std::uint64_t nonce) {
    auto pending = co_await wait_for_pending(client);
    if (!pending) co_return pending;
    for (;;) {
        json::array params;
        params.emplace_back(quantity(fee));
        auto set = co_await client.call("anvil_setNextBlockBaseFeePerGas", std::move(params));
        if (!set) co_return forward_error(set);
        auto mined = co_await client.call("evm_mine");
        if (!mined) co_return forward_error(mined);
        json::array account;
        account.emplace_back(wallet.hex0x());
        account.emplace_back("latest");
        auto count = co_await client.call("eth_getTransactionCount", std::move(account));
        if (!count) co_return forward_error(count);
        if (as_u64(*count).value_or(0) > nonce) co_return Result<>{};
        co_await sleep_for(milliseconds(5));
    }
}

TEST_F(OutboxAnvil, StuckTransactionsAreReplacedWithBothFeesRaised) {
    auto settings = outbox_settings();
    settings.replace_after = milliseconds(30);
    settings.fees.max_per_hour = Uint256(1) << 100;
    rpc("evm_setAutomine", {false});
    const auto rounds = sys::testing::repetitions("MYST_OUTBOX_ROUNDS", 2);
    std::uint64_t total = 0;
    std::size_t replacements = 0;
    for (std::size_t round = 0; round < rounds; ++round) {
        for (const std::uint64_t times : {10U, 100U}) {
            restart_outbox(settings);
            rpc("anvil_setNextBlockBaseFeePerGas", {quantity(kGwei)});
            rpc("evm_mine");
            const auto amount = ++total;
            const auto key = "deposit:" + std::to_string(amount);
            const auto nonce = nonce_count();
            auto meddle = outprice(*client_, times * kGwei, key_.address(), nonce);
            const auto outcome = submit_and(key, deposit_of(amount), std::move(meddle));
            ASSERT_TRUE(outcome) << outcome.error().describe();
            EXPECT_TRUE(outcome->succeeded);
            const auto versions = entry_of(key).versions;
            ASSERT_GE(versions.size(), 2U);
            replacements += versions.size() - 1;
            for (std::size_t i = 1; i < versions.size(); ++i) {
                const auto older = codec::decode_1559(versions[i - 1].raw).value();
                const auto newer = codec::decode_1559(versions[i].raw).value();
                EXPECT_EQ(newer.nonce, nonce);
                EXPECT_EQ(newer.data, deposit_of(amount));
                EXPECT_GE(newer.max_fee_per_gas * 8, older.max_fee_per_gas * 9);
                EXPECT_GE(newer.max_priority_fee_per_gas * 8, older.max_priority_fee_per_gas * 9);
                EXPECT_LE(newer.max_fee_per_gas, settings.fees.max_fee_per_gas);
            }
            EXPECT_EQ(nonce_count(), nonce + 1);
        }
    }
    expect_each_deposit_once(total);
    std::cout << "  " << total << " stuck transactions, " << replacements << " replacements\n";
}

/// Drops the transaction from the pool, and lets it be mined once it is there again.
Task<Result<>> drop_once(JsonRpcClient& client) {
    auto pending = co_await wait_for_pending(client);
    if (!pending) co_return pending;
    auto content = co_await client.call("txpool_content");
    if (!content) co_return forward_error(content);
    const auto& account = content->at("pending").as_object().begin()->value();
    const std::string hash(account.as_object().begin()->value().at("hash").as_string());
    json::array params;
    params.emplace_back(hash);
    auto dropped = co_await client.call("anvil_dropTransaction", std::move(params));
    if (!dropped) co_return forward_error(dropped);
    pending = co_await wait_for_pending(client);
    if (!pending) co_return pending;
    auto mined = co_await client.call("evm_mine");
    if (!mined) co_return forward_error(mined);
    co_return Result<>{};
}

TEST_F(OutboxAnvil, DroppedTransactionsAreSentAgainAsTheSameBytes) {
    rpc("evm_setAutomine", {false});
    const auto rounds = sys::testing::repetitions("MYST_OUTBOX_ROUNDS", 4);
    for (std::size_t round = 1; round <= rounds; ++round) {
        const auto key = "deposit:" + std::to_string(round);
        const auto outcome = submit_and(key, deposit_of(round), drop_once(*client_));
        ASSERT_TRUE(outcome) << outcome.error().describe();
        const auto versions = entry_of(key).versions;
        ASSERT_EQ(versions.size(), 1U);
        EXPECT_EQ(outcome->hash, versions[0].hash);
    }
    expect_each_deposit_once(rounds);
}

TEST_F(OutboxAnvil, ReorganisedTransactionsComeBackInOrderWithoutGaps) {
    const auto rounds = sys::testing::repetitions("MYST_OUTBOX_ROUNDS", 2);
    std::uint64_t amount = 0;
    const auto before = nonce_count();
    for (std::size_t round = 0; round < rounds; ++round) {
        // Three that depend on each other by their nonces, all taken away at once.
        for (int i = 0; i < 3; ++i) {
            ++amount;
            expect_done("deposit:" + std::to_string(amount), deposit_of(amount));
        }
        reorganise(3);
        ASSERT_EQ(nonce_count(), before + amount - 3) << "they are gone";
        ++amount;
        expect_done("deposit:" + std::to_string(amount), deposit_of(amount));
        ASSERT_EQ(nonce_count(), before + amount);
    }
    expect_each_deposit_once(amount);
}

/// Another program sends with the same wallet: the same nonce, and a higher fee.
Task<Result<>> steal_nonce(JsonRpcClient& client, Bytes raw) {
    auto pending = co_await wait_for_pending(client);
    if (!pending) co_return pending;
    json::array params;
    params.emplace_back(to_hex0x(raw));
    auto sent = co_await client.call("eth_sendRawTransaction", std::move(params));
    if (!sent) co_return forward_error(sent);
    auto mined = co_await client.call("evm_mine");
    if (!mined) co_return forward_error(mined);
    co_return Result<>{};
}

TEST_F(OutboxAnvil, AStolenNonceIsNoticedAndEndsSending) {
    rpc("evm_setAutomine", {false});
    const auto rounds = sys::testing::repetitions("MYST_OUTBOX_ROUNDS", 3);
    for (std::size_t round = 1; round <= rounds; ++round) {
        codec::Transaction1559 theft;
        theft.chain_id = identity_.chain_id;
        theft.nonce = nonce_count();
        theft.max_fee_per_gas = 100 * kGwei;
        theft.max_priority_fee_per_gas = 50 * kGwei;
        theft.gas_limit = 21'000;
        theft.to = testing::account_at(9);
        auto meddle = steal_nonce(*client_, codec::sign(theft, key_).raw);
        const auto outcome = submit_and("deposit:" + std::to_string(round), deposit_of(round), std::move(meddle));
        ASSERT_FALSE(outcome);
        EXPECT_EQ(outcome.error().code, ErrorCode::failed_precondition);
        EXPECT_NE(outcome.error().message.find("another program"), std::string::npos) << outcome.error().message;
        EXPECT_TRUE(outbox_->status().halted);
        EXPECT_EQ(executions(deposit_of(round)), 0U);
        restart_outbox();
    }
    EXPECT_TRUE(deposited().is_zero());
}

TEST_F(OutboxAnvil, CallsThatWouldRevertAreReportedWithTheirReasonAndNotSent) {
    expect_reverts_reported();
}

/// The state changes between estimate and block: every call of the contract fails now.
Task<Result<>> break_contract(JsonRpcClient& client, Address contract) {
    auto pending = co_await wait_for_pending(client);
    if (!pending) co_return pending;
    json::array params;
    params.emplace_back(contract.hex0x());
    params.emplace_back("0xfe");
    auto set = co_await client.call("anvil_setCode", std::move(params));
    if (!set) co_return forward_error(set);
    auto mined = co_await client.call("evm_mine");
    if (!mined) co_return forward_error(mined);
    co_return Result<>{};
}

TEST_F(OutboxAnvil, ARevertInTheBlockIsReportedAndNotRepeated) {
    rpc("evm_setAutomine", {false});
    const auto before = nonce_count();
    const auto outcome = submit_and("deposit:1", deposit_of(1), break_contract(*client_, identity_.lanes));
    ASSERT_TRUE(outcome) << outcome.error().describe();
    EXPECT_FALSE(outcome->succeeded);
    const auto again = submit("deposit:1", deposit_of(1));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->hash, outcome->hash);
    EXPECT_EQ(nonce_count(), before + 1);
    EXPECT_EQ(as_u64(rpc("txpool_status").at("pending")).value(), 0U);
}

}  // namespace
}  // namespace myst::chain
