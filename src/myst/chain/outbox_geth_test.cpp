// Sending through a go-ethereum node: fees, refusals, and a transaction that waits.
#include "myst/chain/test_support/chain_geth_fixture.hpp"
#include "myst/chain/wallet_rpc.hpp"
#include "myst/codec/transaction.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;
using testing::kGethBlockGas;
using testing::wait_for_pending;

class OutboxGeth : public testing::ChainGeth {
protected:
    void SetUp() override {
        ChainGeth::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        approve_deposits();
    }
};

TEST_F(OutboxGeth, FeesAreThoseOfTheFeeHistory) {
    const auto history = rpc("eth_feeHistory", {"0x1", "latest", json::array{}});
    const auto base = as_uint256(history.at("baseFeePerGas").as_array().back()).value();
    const auto tip = as_uint256(rpc("eth_maxPriorityFeePerGas")).value();
    ASSERT_GT(base, 0);
    expect_done("deposit:1", deposit_of(1));
    const auto versions = entry_of("deposit:1").versions;
    ASSERT_EQ(versions.size(), 1U);
    const auto sent = codec::decode_1559(versions[0].raw).value();
    EXPECT_EQ(sent.max_fee_per_gas, base * 2 + tip);
    EXPECT_EQ(sent.max_priority_fee_per_gas, tip);
    const auto receipt = rpc("eth_getTransactionReceipt", {versions[0].hash.hex0x()});
    EXPECT_EQ(as_uint256(receipt.at("effectiveGasPrice")).value(), base + tip) << "the next block's base fee was known";
    EXPECT_LT(as_u64(receipt.at("gasUsed")).value(), sent.gas_limit);
}

TEST_F(OutboxGeth, CallsThatWouldRevertAreReportedWithTheirReasonAndNotSent) {
    expect_reverts_reported();
}

TEST_F(OutboxGeth, EachDepositIsExecutedOnce) {
    constexpr std::uint64_t kDeposits = 10;
    for (std::uint64_t amount = 1; amount <= kDeposits; ++amount) {
        const auto key = "deposit:" + std::to_string(amount);
        expect_done(key, deposit_of(amount));
        restart_outbox();
        expect_done(key, deposit_of(amount));
    }
    expect_each_deposit_once(kDeposits);
}

/// A geth that seals a block every second, whatever waits, so that a transaction can be kept waiting.
class SlowGeth : public testing::ChainGeth {
protected:
    void SetUp() override {
        start_geth({"--dev.period", "1"});
        if (IsSkipped() || HasFatalFailure()) return;
        approve_deposits();
    }
};

/// A transaction of the node's own account that fills a block, and offers more than anybody else.
json::array block_filler(const json::value& from) {
    json::object filler{{"from", from}, {"data", "0xfe"}, {"gas", quantity(kGethBlockGas)}};
    filler["maxFeePerGas"] = quantity(80'000'000'000);
    filler["maxPriorityFeePerGas"] = quantity(50'000'000'000);
    return {std::move(filler)};
}

/// The hash of what the wallet has waiting in the pool; empty if nothing.
Task<Result<std::string>> waiting_hash(JsonRpcClient& client, Address wallet) {
    json::array params;
    params.emplace_back(wallet.hex0x());
    auto content = co_await client.call("txpool_contentFrom", std::move(params));
    if (!content) co_return forward_error(content);
    const auto& pending = content->at("pending").as_object();
    if (pending.empty()) co_return std::string();
    co_return std::string(pending.begin()->value().at("hash").as_string());
}

/// Keeps blocks full, which makes the base fee rise, until the wallet has replaced what it has waiting.
Task<Result<>> fill_blocks_until_replaced(JsonRpcClient& client, json::value from, Address wallet) {
    std::string first;
    for (;;) {
        auto hash = co_await waiting_hash(client, wallet);
        if (!hash) co_return forward_error(hash);
        if (first.empty()) first = *hash;
        if (!first.empty() && *hash != first) co_return Result<>{};
        auto pool = co_await client.call("txpool_status");
        if (!pool) co_return forward_error(pool);
        if (as_u64(pool->at("pending")).value_or(0) < 4) {
            auto sent = co_await client.call("eth_sendTransaction", block_filler(from));
            if (!sent) co_return forward_error(sent);
        }
        co_await sleep_for(milliseconds(20));
    }
}

TEST_F(SlowGeth, AStuckTransactionIsReplacedWithBothFeesRaised) {
    auto settings = outbox_settings();
    settings.replace_after = milliseconds(30);
    restart_outbox(settings);
    const auto from = rpc("eth_accounts").at(0);
    for (int i = 0; i < 3; ++i) rpc("eth_sendTransaction", block_filler(from));
    const auto outcome =
        submit_and("deposit:1", deposit_of(1), fill_blocks_until_replaced(*client_, from, key_.address()));
    ASSERT_TRUE(outcome) << outcome.error().message;
    EXPECT_TRUE(outcome->succeeded);
    const auto versions = entry_of("deposit:1").versions;
    ASSERT_GE(versions.size(), 2U);
    for (std::size_t i = 1; i < versions.size(); ++i) {
        const auto older = codec::decode_1559(versions[i - 1].raw).value();
        const auto newer = codec::decode_1559(versions[i].raw).value();
        EXPECT_EQ(newer.nonce, older.nonce);
        EXPECT_GE(newer.max_fee_per_gas * 8, older.max_fee_per_gas * 9);
        EXPECT_GE(newer.max_priority_fee_per_gas * 8, older.max_priority_fee_per_gas * 9);
    }
    EXPECT_NE(outcome->hash, versions.front().hash) << "the node has forgotten the first version";
    expect_each_deposit_once(1);
    std::cout << "  " << versions.size() - 1 << " replacements\n";
}

}  // namespace
}  // namespace myst::chain
