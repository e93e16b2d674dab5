// Reading a go-ethereum node: the index, the contract's views, filters of logs, a chain that is taken back.
#include "myst/chain/log_audit.hpp"
#include "myst/chain/test_support/chain_geth_fixture.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::chain {
namespace {

namespace json = boost::json;
using testing::account_at;
using testing::kMinStake;
using testing::kWindow;

/// Until the chain's clock shows `time`. The node seals block after block, each a second later than the one before,
/// for as long as a transaction waits that offers too little to be included.
Task<Result<>> until_time(JsonRpcClient& client, UnixTime time) {
    for (;;) {
        auto header = co_await testing::newest_header(client);
        if (!header) co_return forward_error(header);
        if (header->time >= time) co_return Result<>{};
        co_await sleep_for(milliseconds(50));
    }
}

class ChainGethTest : public testing::ChainGeth {
protected:
    BlockHeader header_at(std::uint64_t number) {
        return as_header(rpc("eth_getBlockByNumber", {quantity(number), false})).value();
    }
    void pass_window() {
        const auto from = rpc("eth_accounts").at(0);
        json::object cheap{{"from", from}, {"to", account_at(70).hex0x()}, {"gas", "0x5208"}};
        cheap["nonce"] = rpc("eth_getTransactionCount", {from, "latest"});
        auto enough = cheap;
        cheap["maxFeePerGas"] = cheap["maxPriorityFeePerGas"] = "0x1";
        const auto time = header_at(height()).time + seconds(kWindow + 1);
        rpc("eth_sendTransaction", {cheap});
        const auto passed = wait(with_timeout(until_time(*client_, time), milliseconds(300'000), "the window"));
        ASSERT_TRUE(passed) << passed.error().message;
        enough["maxFeePerGas"] = enough["maxPriorityFeePerGas"] = quantity(1'000'000'000);
        send_unlocked(enough);
    }
    std::vector<std::uint64_t> blocks_with_our_logs() {
        std::vector<std::uint64_t> found;
        const auto top = height();
        for (std::uint64_t number = 0; number <= top; ++number) {
            const auto blocks = wait(source_->blocks(number, number));
            if (!blocks->front().logs.empty()) found.push_back(number);
        }
        return found;
    }
};

TEST_F(ChainGethTest, TheIndexAgreesWithTheContractThroughTheLifeOfALane) {
    const auto before = height();
    live_through_a_lane([this] { pass_window(); });
    std::cout << "  " << rpc("web3_clientVersion").as_string() << ", chain " << identity_.chain_id << ", "
              << height() - before << " blocks\n";
    EXPECT_GT(height() - before, kWindow) << "the clock was moved by sealing blocks";
}

TEST_F(ChainGethTest, TheContractPaysTicksThatTheNodeMade) {
    settle_ticks_in_steps();
}

TEST_F(ChainGethTest, TermsAreTheConstructors) {
    const auto terms = wait(remote_->terms());
    ASSERT_TRUE(terms) << terms.error().message;
    EXPECT_EQ(terms->fee_bps, 50U);
    EXPECT_EQ(terms->window, seconds(kWindow));
    EXPECT_EQ(terms->min_stake, Amount(kMinStake));
}

/// The chain is taken back to before the settlement, and grows again to other blocks.
TEST_F(ChainGethTest, FollowsAChainThatWasTakenBack) {
    deposit_and_settle();
    for (int i = 0; i < 5; ++i) mine_one();
    expect_consistent();
    ASSERT_EQ(wait(indexed_->lane(key_.address(), provider_)).value().paid, Amount(10'000));
    const auto settled = blocks_with_our_logs().back();
    const auto top = height();
    std::vector<Hash32> old;
    for (auto number = settled; number <= top; ++number) old.push_back(header_at(number).hash);

    rpc("debug_setHead", {quantity(settled - 1)});
    while (height() <= top) mine_one();
    for (auto number = settled; number <= top; ++number) {
        ASSERT_NE(header_at(number).hash, old[number - settled]) << "the node kept a block";
    }
    expect_consistent();
    EXPECT_TRUE(wait(indexed_->lane(key_.address(), provider_)).value().paid.is_zero());
    EXPECT_EQ(wait(indexed_->account(key_.address())).value().free, Amount(100'000));
    EXPECT_GE(indexer_->status().reorganisations, 1U);

    expect_done("exit", call::request_exit(key_.address(), Amount(1000)));
    EXPECT_EQ(wait(remote_->lane(key_.address(), provider_)).value().paid, Amount(10'000)) << "sent again, and first";
    EXPECT_EQ(executions(call::settle(provider_, {voucher(10'000, 30'000)})), 1U);
    EXPECT_EQ(nonce_count(), 3U);
    expect_consistent();
    std::cout << "  " << old.size() << " blocks replaced\n";
}

void leave_out(json::array& logs) {
    logs.clear();
}

/// Other amounts, in logs that are in their places.
void falsify(json::array& logs) {
    for (auto& each : logs) {
        auto& data = each.at("data").as_string();
        std::fill(data.begin() + 2, data.end(), '0');
    }
}

/// Passes a node's answers on, with its lists of logs altered.
class OtherLogs final : public RpcEndpoint {
public:
    OtherLogs(RpcEndpoint& node, void (*alter)(json::array&)) : node_(node), alter_(alter) {}
    Task<Result<RpcReply>> exchange(RpcCall call) override {
        const bool logs = call.method == "eth_getLogs";
        auto reply = co_await node_.exchange(std::move(call));
        if (logs && reply && *reply) alter_((*reply)->as_array());
        co_return reply;
    }
    Task<Result<std::vector<Result<json::value>>>> batch(std::vector<RpcCall> calls) override {
        std::vector<bool> logs;
        for (const auto& each : calls) logs.push_back(each.method == "eth_getLogs");
        auto replies = co_await node_.batch(std::move(calls));
        for (std::size_t i = 0; replies && i < replies->size(); ++i) {
            if (auto& each = (*replies)[i]; logs[i] && each) alter_(each->as_array());
        }
        co_return replies;
    }

private:
    RpcEndpoint& node_;
    void (*alter_)(json::array&);
};

TEST_F(ChainGethTest, FiltersAndReceiptsShowLogsThatWereLeftOut) {
    deposit_and_settle();
    expect_done("owner", call::set_owner(key_.address(), key_.address(), {}));
    const auto ours = blocks_with_our_logs();
    ASSERT_EQ(ours.size(), 3U);
    OtherLogs silent(*client_, leave_out);
    RpcBlockSource source(silent, identity_.lanes);
    for (std::uint64_t number = 0; number <= height(); ++number) {
        const auto blocks = wait(source.blocks(number, number));
        const bool hidden = std::find(ours.begin(), ours.end(), number) != ours.end();
        ASSERT_EQ(blocks.has_value(), !hidden) << number;
        if (hidden) {
            EXPECT_NE(blocks.error().message.find("are missing"), std::string::npos) << blocks.error().message;
        }
    }
    EXPECT_FALSE(wait(source.blocks(0, height())));
}

/// A filter may admit a contract that has no logs in the block: then the receipts must yield exactly that filter.
TEST_F(ChainGethTest, ReceiptsGiveTheFiltersOfTheirBlocks) {
    deposit_and_settle();
    const auto settled = blocks_with_our_logs().back();
    const auto bloom = header_at(settled).bloom;
    Address stranger;
    std::uint64_t tries = 0;
    while (!bloom_has(bloom, stranger.view())) {
        ++tries;
        for (std::size_t i = 0; i < 8; ++i) stranger.bytes[i] = static_cast<std::uint8_t>(tries >> (8 * i));
    }
    ASSERT_NE(stranger, identity_.lanes);
    RpcBlockSource source(*client_, stranger);
    const auto blocks = wait(source.blocks(settled, settled));
    ASSERT_TRUE(blocks) << blocks.error().message;
    EXPECT_TRUE(blocks->front().logs.empty());
    std::cout << "  stranger number " << tries << " is in the filter of block " << settled << '\n';
}

Task<> one_cycle(LogAudit& audit, std::vector<LogAudit::Finding>& findings) {
    while (audit.cycles() == 0) {
        auto found = co_await audit.next_of_cycle();
        EXPECT_TRUE(found) << (found ? "" : found.error().message);
        if (found) findings.insert(findings.end(), found->begin(), found->end());
    }
}

TEST_F(ChainGethTest, AnAuditTellsTheNodeFromALiar) {
    deposit_and_settle();
    ASSERT_FALSE(follow(*indexer_));
    RpcBlockSource honest(*client_, identity_.lanes);
    OtherLogs liar(*client_, falsify);
    RpcBlockSource false_logs(liar, identity_.lanes);
    LogAuditSettings settings;
    settings.range = 2;
    settings.quorum = 2;
    const std::vector<LogAudit::Auditor> auditors = {
        {"first", honest, {}}, {"second", honest, {}}, {"false", false_logs, {}}};
    LogAudit audit(settings, *indexer_, auditors, rng_);
    std::vector<LogAudit::Finding> findings;
    sys::testing::run_task(context_, one_cycle(audit, findings));
    std::vector<std::uint64_t> differing;
    for (const auto& each : findings) {
        EXPECT_EQ(each.auditor, 2U) << "the node has what was applied";
        EXPECT_TRUE(each.cleared);
        differing.push_back(each.block);
    }
    std::sort(differing.begin(), differing.end());
    EXPECT_EQ(differing, blocks_with_our_logs());
    EXPECT_GT(audit.compared(), 2U);
}

TEST_F(ChainGethTest, BothEndpointsAreUsedAndAgree) {
    deposit_and_settle();
    expect_consistent();
    for (const auto& each : endpoints_->status()) {
        EXPECT_EQ(each.state, ports::EndpointState::ok) << each.name << ": " << each.last_error;
        EXPECT_GT(each.calls, 20U) << each.name;
        EXPECT_EQ(each.failures, 0U) << each.name << ": " << each.last_error;
        EXPECT_EQ(each.disagreements, 0U) << each.name;
    }
}

}  // namespace
}  // namespace myst::chain
