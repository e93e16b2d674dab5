// Every intent executes exactly once, whatever the endpoint does: each class of faults in front of a real node.
#include "myst/chain/test_support/chain_anvil_fixture.hpp"
#include "myst/chain/test_support/rpc_fault_proxy.hpp"

namespace myst::chain {
namespace {

using testing::RpcFaultClass;
using testing::submit_while_running;

class OutboxFault : public testing::ChainAnvil, public ::testing::WithParamInterface<std::size_t> {
protected:
    void SetUp() override {
        ChainAnvil::SetUp();
        if (IsSkipped() || HasFatalFailure()) return;
        approve_deposits();
        proxy_ = std::make_unique<testing::RpcFaultProxy>(context_, node_->url());
        JsonRpcSettings rpc;
        rpc.url = proxy_->url();
        rpc.timeout = milliseconds(400);
        rpc.backoff = milliseconds(2);
        faulty_ = std::make_unique<JsonRpcClient>(rpc, rng_);
        faulty_source_ = std::make_unique<RpcBlockSource>(*faulty_, identity_.lanes);
        restart_faulty_outbox();
        restart_faulty_index();
    }
    void TearDown() override {
        faulty_index_.reset();
        outbox_.reset();
        faulty_.reset();
        proxy_.reset();
        ChainAnvil::TearDown();
    }
    void restart_faulty_outbox() {
        outbox_.reset();
        auto settings = outbox_settings();
        settings.backoff_limit = milliseconds(40);
        outbox_ = std::make_unique<TxOutbox>(settings, key_.clone(), *faulty_, pool_, context_.get_executor(), clock_);
    }
    void restart_faulty_index() {
        faulty_index_.reset();
        auto settings = indexer_settings(chain_file_.path);
        settings.backoff_limit = milliseconds(40);
        faulty_index_ = std::make_unique<Indexer>(settings, *faulty_source_, pool_);
    }
    /// Submits under new keys until it is done: an intent that was refused must not have been executed.
    void deposit_once(std::uint64_t amount) {
        for (unsigned attempt = 0; attempt < 200; ++attempt) {
            const auto key = "deposit:" + std::to_string(amount) + ":" + std::to_string(attempt);
            const auto outcome = submit(key, deposit_of(amount));
            if (outcome) {
                ASSERT_TRUE(outcome->succeeded);
                return;
            }
            // The only halt that faults may cause.
            ASSERT_EQ(GetParam(), static_cast<std::size_t>(RpcFaultClass::wrong_chain)) << outcome.error().describe();
        }
        FAIL() << "never done";
    }
    void index_to_the_tip() {
        for (unsigned attempt = 0; attempt < 200; ++attempt) {
            const auto halted = follow(*faulty_index_);
            if (!halted) return;
            ASSERT_EQ(GetParam(), static_cast<std::size_t>(RpcFaultClass::wrong_chain)) << halted->describe();
            restart_faulty_index();
        }
        FAIL() << "never at the tip";
    }

    std::unique_ptr<testing::RpcFaultProxy> proxy_;
    std::unique_ptr<JsonRpcClient> faulty_;
    std::unique_ptr<RpcBlockSource> faulty_source_;
    std::unique_ptr<Indexer> faulty_index_;
};

TEST_P(OutboxFault, EveryIntentExecutesOnce) {
    const auto injections = sys::testing::repetitions("MYST_FAULT_INJECTIONS", 6);
    proxy_->inject(static_cast<RpcFaultClass>(GetParam()), injections);
    std::uint64_t intents = 0;
    while (proxy_->left() > 0) {
        ASSERT_LT(intents, 40 * injections) << "the faults do not meet any request";
        deposit_once(++intents);
        rpc("anvil_mine", {"0x3"});  // several blocks behind: the index asks for them in a batch
        index_to_the_tip();
        if (HasFatalFailure()) return;
    }
    const auto stopped = std::chrono::steady_clock::now();
    deposit_once(++intents);
    index_to_the_tip();
    EXPECT_LT(std::chrono::steady_clock::now() - stopped, std::chrono::seconds(20)) << "stuck after the faults stopped";

    expect_each_deposit_once(intents);
    EXPECT_FALSE(outbox_->status().halted && GetParam() != static_cast<std::size_t>(RpcFaultClass::wrong_chain));
    Indexer fresh(indexer_settings(":memory:"), *source_, pool_);
    ASSERT_FALSE(follow(fresh));
    EXPECT_EQ(dump(*faulty_index_), dump(fresh));
    std::cout << "  " << injections << " injections, " << intents << " intents, each executed once\n";
}

INSTANTIATE_TEST_SUITE_P(Classes, OutboxFault, ::testing::Range<std::size_t>(0, testing::kRpcFaultClasses),
                         [](const auto& each) {
                             return std::string(testing::to_string(static_cast<RpcFaultClass>(each.param)));
                         });

}  // namespace
}  // namespace myst::chain
