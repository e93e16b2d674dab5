// For tests against a real node and the real contracts: an outbox, an index, and what all tests do with them.
#pragma once

#include <gtest/gtest.h>

#include "myst/chain/eth_json.hpp"
#include "myst/chain/indexed_chain.hpp"
#include "myst/chain/json_rpc.hpp"
#include "myst/chain/lanes_contract.hpp"
#include "myst/chain/rpc_block_source.hpp"
#include "myst/chain/test_support/indexer_fixture.hpp"
#include "myst/chain/test_support/node_process.hpp"
#include "myst/chain/tx_outbox.hpp"
#include "myst/codec/abi.hpp"
#include "myst/crypto/system_rng.hpp"
#include "myst/sys/test_support/repetitions.hpp"

namespace myst::chain::testing {

namespace json = boost::json;
using codec::abi::Encoder;

inline constexpr std::uint64_t kWindow = 3600;
inline constexpr std::uint64_t kMinStake = 1000;

/// Drives it until it halts or is cancelled; why it halted is in the outcome of what was submitted.
inline Task<> run_outbox(TxOutbox& outbox) {
    std::ignore = co_await outbox.run();
}

inline Task<Result<ports::TxOutcome>> submit_while_running(TxOutbox& outbox, ports::TxIntent intent) {
    TaskGroup group(co_await asio::this_coro::executor);
    group.spawn("outbox", run_outbox(outbox));
    auto outcome = co_await outbox.submit(std::move(intent));
    group.cancel();
    co_await group.join();
    co_return outcome;
}

/// Until a transaction waits in the node's pool.
inline Task<Result<>> wait_for_pending(JsonRpcClient& client) {
    for (;;) {
        auto pool = co_await client.call("txpool_status");
        if (!pool) co_return forward_error(pool);
        if (as_u64(pool->at("pending")).value_or(0) > 0) co_return Result<>{};
    }
}

inline Task<Result<BlockHeader>> newest_header(JsonRpcClient& client) {
    json::array params;
    params.emplace_back("latest");
    params.emplace_back(false);
    auto block = co_await client.call("eth_getBlockByNumber", std::move(params));
    if (!block) co_return forward_error(block);
    co_return as_header(*block);
}

/// Runs the indexer until its head is the node's, which may still be moving, or it has halted.
inline Task<> follow_node(Indexer& indexer, JsonRpcClient& client, std::optional<Error>& ended) {
    const auto executor = co_await asio::this_coro::executor;
    auto opened = co_await indexer.open();
    EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
    EventSignal halted(executor);
    TaskGroup group(executor);
    group.spawn("indexer", drive(indexer, ended, halted));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!ended) {
        auto newest = co_await newest_header(client);
        EXPECT_TRUE(newest) << (newest ? "" : newest.error().message);
        if (!newest || (indexer.head() && indexer.head()->hash == newest->hash)) break;
        if (std::chrono::steady_clock::now() > deadline) {
            ADD_FAILURE() << "the indexer is stuck at block " << (indexer.head() ? indexer.head()->number : 0);
            break;
        }
        std::ignore = co_await halted.wait(milliseconds(20));
    }
    group.cancel();
    co_await group.join();
}

/// A node, with our contracts on it and a wallet that holds ether and tokens.
class ChainNode : public ::testing::Test {
protected:
    /// What tests do with any node begins here.
    void start(const std::string& program, std::vector<std::string> arguments, std::string_view sign) {
        node_ = std::make_unique<NodeProcess>(program, std::move(arguments), sign);
        ASSERT_FALSE(node_->url().empty()) << program << " did not start:\n" << node_->output();
        client_ = new_client();
        wake();
        deploy();
        source_ = make_source();
        remote_ = std::make_unique<RpcChain>(identity_, caller());
        restart_outbox();
        restart_indexer();
    }
    void TearDown() override {
        indexed_.reset();
        indexer_.reset();
        outbox_.reset();
        client_.reset();
        sys::testing::drain(context_);
    }
    /// Before the first transaction that matters.
    virtual void wake() {}
    /// What readers and outbox ask, and what the index reads: the node itself.
    virtual RpcCaller& caller() { return *client_; }
    virtual std::unique_ptr<BlockSource> make_source() {
        return std::make_unique<RpcBlockSource>(*client_, identity_.lanes);
    }
    std::unique_ptr<JsonRpcClient> new_client() {
        JsonRpcSettings rpc;
        rpc.url = node_->url();
        return std::make_unique<JsonRpcClient>(rpc, rng_);
    }

    template <class T>
    T wait(Task<T> task) {
        return sys::testing::run_value(context_, std::move(task));
    }
    json::value rpc(const std::string& method, json::array params = {}) {
        auto reply = wait(client_->call(method, std::move(params)));
        if (!reply) ADD_FAILURE() << reply.error().message;
        return reply ? *reply : json::value();
    }
    /// A transaction of the node's own unlocked account; returns the receipt.
    json::value send_unlocked(json::object transaction) {
        transaction["from"] = rpc("eth_accounts").at(0);
        json::array params;
        params.push_back(std::move(transaction));
        const auto hash = rpc("eth_sendTransaction", std::move(params));
        // Mined at once, but after the answer.
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        for (;;) {
            // A node that has just started may answer with an error, until its index of transactions is complete.
            auto receipt = wait(client_->call("eth_getTransactionReceipt", {hash}));
            if (receipt && !receipt->is_null()) return *receipt;
            if (std::chrono::steady_clock::now() > deadline) throw std::runtime_error("the node does not mine");
        }
    }
    Address create(const std::string& contract, const Bytes& arguments) {
        const auto receipt = send_unlocked({{"data", to_hex0x(creation_code(contract, arguments))}});
        return as_fixed<Address>(receipt.at("contractAddress")).value();
    }
    void deploy() {
        identity_.chain_id = as_u64(rpc("eth_chainId")).value();
        identity_.token = create("MystToken", Encoder().amount(Amount(1'000'000'000)).finish());
        Encoder arguments;
        arguments.address(identity_.token).address(account_at(60)).uint(Uint256(50));
        arguments.uint(Uint256(kWindow)).amount(Amount(kMinStake));
        identity_.lanes = create("Lanes", arguments.finish());
        const auto wallet = key_.address();
        const auto transfer = Encoder().address(wallet).amount(Amount(1'000'000)).call("transfer(address,uint256)");
        send_unlocked({{"to", identity_.token.hex0x()}, {"data", to_hex0x(transfer)}});
        send_unlocked({{"to", wallet.hex0x()}, {"value", "0xde0b6b3a7640000"}});
    }
    OutboxSettings outbox_settings() {
        OutboxSettings settings;
        settings.path = outbox_file_.path;
        settings.chain_id = identity_.chain_id;
        settings.poll = milliseconds(5);
        settings.resend = milliseconds(20);
        return settings;
    }
    void restart_outbox() { restart_outbox(outbox_settings()); }
    void restart_outbox(const OutboxSettings& settings) {
        outbox_.reset();
        outbox_ = std::make_unique<TxOutbox>(settings, key_.clone(), caller(), pool_, context_.get_executor(), clock_);
    }
    IndexerSettings indexer_settings(const std::string& path) {
        IndexerSettings settings;
        settings.path = path;
        settings.identity = identity_;
        settings.poll = milliseconds(5);
        return settings;
    }
    void restart_indexer() {
        indexed_.reset();
        indexer_ = std::make_unique<Indexer>(indexer_settings(chain_file_.path), *source_, pool_);
        indexed_ = std::make_unique<IndexedChain>(*indexer_, caller());
    }
    Hash32 hash_at(const json::value& number) { return as_header(rpc("eth_getBlockByNumber", {number, false}))->hash; }
    std::uint64_t height() { return as_u64(rpc("eth_blockNumber")).value(); }

    std::optional<Error> follow(Indexer& indexer) {
        std::optional<Error> ended;
        sys::testing::run_task(context_, follow_node(indexer, *client_, ended));
        return ended;
    }
    Hash32 dump(Indexer& indexer) {
        Hash32 hash;
        sys::testing::run_task(context_, take_dump(indexer, hash));
        return hash;
    }
    /// The tables equal the contract's own views and those of an index built anew.
    void expect_consistent() {
        Indexer fresh(indexer_settings(":memory:"), *source_, pool_);
        Hash32 newest;
        do {  // again if the node has sealed a block meanwhile, as some do without a transaction
            newest = hash_at("latest");
            ASSERT_FALSE(follow(*indexer_));
            ASSERT_FALSE(follow(fresh));
        } while (hash_at("latest") != newest);
        EXPECT_EQ(dump(*indexer_), dump(fresh));
        const auto signer = key_.address();
        EXPECT_EQ(wait(indexed_->account(signer)).value(), wait(remote_->account(signer)).value());
        EXPECT_EQ(wait(indexed_->owner_of(signer)).value(), wait(remote_->owner_of(signer)).value());
        EXPECT_EQ(wait(indexed_->lane(signer, provider_)).value(), wait(remote_->lane(signer, provider_)).value());
        EXPECT_EQ(wait(indexed_->provider(signer)).value(), wait(remote_->provider(signer)).value());
        EXPECT_EQ(wait(indexed_->head()).value().hash, newest);
    }
    Result<ports::TxOutcome> submit(const std::string& key, Bytes data) {
        ports::TxIntent intent{key, key, identity_.lanes, std::move(data)};
        return wait(submit_while_running(*outbox_, std::move(intent)));
    }
    /// Runs `meddle` on the node while the transaction waits for a block.
    Result<ports::TxOutcome> submit_and(const std::string& key, Bytes data, Task<Result<>> meddle) {
        std::optional<Result<>> meddling;
        asio::co_spawn(context_, std::move(meddle), [&](std::exception_ptr failure, Result<> done) {
            if (failure) std::rethrow_exception(failure);
            meddling = std::move(done);
        });
        auto outcome = submit(key, std::move(data));
        EXPECT_TRUE(meddling && *meddling);
        return outcome;
    }
    /// The file as it is after everything has been written.
    OutboxEntry entry_of(const std::string& key) {
        restart_outbox();
        auto store = OutboxStore::open(outbox_file_.path);
        return (*store)->find(key).value();
    }
    void expect_done(const std::string& key, Bytes data) {
        const auto outcome = submit(key, std::move(data));
        ASSERT_TRUE(outcome) << outcome.error().message;
        EXPECT_TRUE(outcome->succeeded) << key;
    }
    /// The calldata, as hex, of all that was executed for our wallet in the chain as it is now, and how often.
    std::map<std::string, std::size_t> executed() {
        std::map<std::string, std::size_t> counts;
        const auto wallet = key_.address().hex0x();
        const auto top = height();
        for (std::uint64_t number = 0; number <= top; ++number) {
            const auto block = rpc("eth_getBlockByNumber", {quantity(number), true});
            for (const auto& each : block.at("transactions").as_array()) {
                if (each.at("from").as_string() == wallet) ++counts[std::string(each.at("input").as_string())];
            }
        }
        return counts;
    }
    std::size_t executions(const Bytes& data) { return executed()[to_hex0x(data)]; }
    /// The deposits of 1, 2, … `count` units, and nothing else after the approval.
    void expect_each_deposit_once(std::uint64_t count) {
        auto counts = executed();
        for (std::uint64_t amount = 1; amount <= count; ++amount) {
            EXPECT_EQ(counts[to_hex0x(deposit_of(amount))], 1U) << amount;
        }
        EXPECT_EQ(deposited(), Amount(count * (count + 1) / 2));
        EXPECT_EQ(nonce_count(), count + 1);
    }
    /// Transactions of our wallet in the chain.
    std::uint64_t nonce_count() {
        return as_u64(rpc("eth_getTransactionCount", {key_.address().hex0x(), "latest"})).value();
    }
    /// Lets the contract take the wallet's tokens, so that plain deposits work.
    void approve_deposits() {
        ports::TxIntent intent{"approve", "approve", identity_.token,
                               call::approve(identity_.lanes, Amount(1'000'000'000))};
        const auto outcome = wait(submit_while_running(*outbox_, std::move(intent)));
        ASSERT_TRUE(outcome) << outcome.error().message;
        ASSERT_TRUE(outcome->succeeded);
    }
    /// A deposit that differs from all others by its amount; how much arrived shows how often it was executed.
    Bytes deposit_of(std::uint64_t amount) { return call::deposit(key_.address(), Amount(amount)); }
    Amount deposited() { return wait(remote_->account(key_.address())).value().free; }
    SignedPermit permit(Amount amount) {
        codec::Permit permit{key_.address(), identity_.lanes, Uint256(static_cast<std::uint64_t>(amount.units())),
                             wait(remote_->permit_nonce(key_.address())).value(), Uint256(4'000'000'000U)};
        const auto digest = codec::permit_digest(wait(remote_->permit_domain()).value(), permit);
        return {permit.deadline, key_.sign(digest)};
    }
    codec::SignedVoucher voucher(std::uint64_t total, std::uint64_t cap) {
        const codec::LaneDomain domain(identity_.chain_id, identity_.lanes);
        return codec::sign_voucher(domain, {provider_, 0, Amount(total), Amount(cap)}, key_);
    }
    void deposit_and_settle() {
        const Amount amount(100'000);
        expect_done("deposit", call::deposit_with_permit(key_.address(), amount, permit(amount)));
        expect_done("settle", call::settle(provider_, {voucher(10'000, 30'000)}));
    }

    /// From the deposit to the released lane; `pass_window` lets the contract's clock run on by more than its window.
    void live_through_a_lane(const std::function<void()>& pass_window) {
        const auto signer = key_.address();
        deposit_and_settle();
        expect_consistent();
        EXPECT_EQ(wait(indexed_->account(signer)).value().free, Amount(70'000));
        const auto lane = wait(indexed_->lane(signer, provider_)).value();
        EXPECT_EQ(lane.paid, Amount(10'000));
        EXPECT_EQ(lane.cap, Amount(30'000));
        EXPECT_EQ(wait(indexed_->token_balance(provider_)).value(), Amount(9'950)) << "half a percent is the fee";

        expect_done("exit", call::request_exit(signer, Amount(60'000)));
        expect_consistent();
        // More than `free` has left: the rest comes out of what is exiting.
        expect_done("settle:2", call::settle(provider_, {voucher(50'000, 60'000)}));
        expect_consistent();
        EXPECT_EQ(wait(indexed_->account(signer)).value().exiting, Amount(50'000));

        expect_done("register",
                    call::register_with_permit(random_bytes<NodeKey>(rng_), Amount(5000), permit(Amount(5000))));
        expect_done("release request", call::request_release(signer, provider_));
        expect_done("owner", call::set_owner(signer, signer, {}));
        expect_done("leave", call::request_unregister());
        expect_consistent();

        pass_window();
        expect_done("withdraw", call::withdraw(signer, signer));
        expect_done("release", call::release(signer, provider_));
        expect_done("unregister", call::unregister());
        expect_consistent();
        EXPECT_TRUE(wait(indexed_->account(signer)).value().exiting.is_zero());
        EXPECT_EQ(wait(indexed_->lane(signer, provider_)).value().epoch, 1U);
    }
    /// A payer vanished before it converted its ticks.
    void settle_ticks_in_steps() {
        const Amount amount(100'000);
        expect_done("deposit", call::deposit_with_permit(key_.address(), amount, permit(amount)));
        const codec::LaneDomain domain(identity_.chain_id, identity_.lanes);
        const codec::Voucher voucher{provider_, 0, Amount(1'000), Amount(1'640)};
        const auto chain = codec::tick_chain(domain, voucher, 10);
        std::vector<Hash32> words(codec::kMaxTicks + 1, Hash32{{9}});
        for (auto index = codec::kMaxTicks; index > 0; --index) {
            words[index - 1U] = codec::previous_word(words[index], chain, index);
        }
        const auto ticks = codec::sign_tick_voucher(domain, {voucher, words[0], 10, codec::kMaxTicks}, key_);
        expect_done("no tick", call::settle_ticks(provider_, {{ticks, {0, words[0]}}}));
        expect_done("seven", call::settle_ticks(provider_, {{ticks, {7, words[7]}}}));
        expect_done("a wrong word", call::settle_ticks(provider_, {{ticks, {9, words[8]}}}));
        expect_consistent();
        auto lane = wait(indexed_->lane(key_.address(), provider_)).value();
        EXPECT_EQ(lane.paid, Amount(1'070));
        EXPECT_EQ(lane.cap, Amount(1'640)) << "the rest of the chain is reserved";
        expect_done("all", call::settle_ticks(provider_, {{ticks, {codec::kMaxTicks, words[codec::kMaxTicks]}}}));
        expect_consistent();
        lane = wait(indexed_->lane(key_.address(), provider_)).value();
        EXPECT_EQ(lane.paid, Amount(1'640));
    }
    /// Needs the approval. What the contract refuses is reported with its reason and never sent.
    void expect_reverts_reported() {
        const auto me = key_.address();
        const auto node_key = random_bytes<NodeKey>(rng_);
        const std::vector<std::pair<std::string, Bytes>> causes = {
            {"ZeroAmount", call::deposit(me, Amount())},
            {"NothingExiting", call::withdraw(me, me)},
            {"InsufficientFree", call::request_exit(me, Amount(5))},
            {"BadSignature", call::set_owner(testing::account_at(7), me, {})},
            {"ReleaseNotRequested", call::release(me, provider_)},
            {"NotRegistered", call::request_unregister()},
            {"NotRegistered", call::unregister()},
            {"StakeTooSmall", call::register_provider(node_key, Amount(1))},
            {"ZeroNodeKey", call::register_provider(NodeKey{}, Amount(5000))},
            {"NotAuthorized", call::request_exit(testing::account_at(7), Amount(5))},
        };
        const auto before = nonce_count();
        std::size_t number = 0;
        for (const auto& [reason, data] : causes) {
            const auto outcome = submit("refused:" + std::to_string(++number), data);
            ASSERT_FALSE(outcome) << reason;
            EXPECT_EQ(outcome.error().code, ErrorCode::failed_precondition);
            EXPECT_NE(outcome.error().message.find(reason), std::string::npos) << outcome.error().message;
        }
        EXPECT_EQ(nonce_count(), before);
        EXPECT_EQ(as_u64(rpc("txpool_status").at("pending")).value(), 0U);
        EXPECT_FALSE(outbox_->status().halted);
    }

    asio::io_context context_;
    SystemClock clock_;
    WorkerPool pool_{1};
    crypto::SystemRng rng_;
    crypto::PrivateKey key_ = crypto::PrivateKey::generate(rng_);
    Address provider_ = account_at(50);
    TemporaryFile chain_file_{"chain_node"};
    TemporaryFile outbox_file_{"outbox_node"};
    std::unique_ptr<NodeProcess> node_;
    std::unique_ptr<JsonRpcClient> client_;
    ports::ChainIdentity identity_;
    std::unique_ptr<BlockSource> source_;
    std::unique_ptr<RpcChain> remote_;
    std::unique_ptr<TxOutbox> outbox_;
    std::unique_ptr<Indexer> indexer_;
    std::unique_ptr<IndexedChain> indexed_;
};

}  // namespace myst::chain::testing
