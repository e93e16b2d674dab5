// A consumer and a provider in one process: real keys, envelopes, payment stream and ledgers; chain, relays and tunnel
// are fakes.
#pragma once

#include <gtest/gtest.h>

#include "myst/node/proposal_record.hpp"
#include "myst/node/test_support/fake_world.hpp"

namespace myst::node::test {

inline constexpr std::uint64_t kMiB = 1 << 20;
inline constexpr milliseconds kPatience{10'000};

class SessionTest : public testing::Test {
protected:
    SessionTest()
        : consumer_(std::make_unique<TestNode>(world_, "consumer", consumer_settings())),
          provider_(std::make_unique<TestNode>(world_, "provider", provider_settings())) {
        world_.chain.accounts[consumer_->keys->signer()->address()].free = Amount(1'000'000);
    }
    ~SessionTest() override { EXPECT_TRUE(world_.run(shut_down())); }
    Task<> shut_down() {
        co_await consumer_->node->shut_down();
        co_await provider_->node->shut_down();
    }
    /// Waits for a condition, failing the test after a while.
    template <class Condition>
    Task<> until(Condition condition, std::string what) {
        const auto deadline = world_.clock.now() + kPatience;
        while (!condition()) {
            if (world_.clock.now() > deadline) {
                ADD_FAILURE() << "gave up waiting: " << what << "; " << status().last_error;
                co_return;
            }
            co_await sleep_for(milliseconds(1));
        }
    }
    Task<> start_provider() {
        auto started = co_await provider_->node->provider_start();
        EXPECT_TRUE(started) << (started ? "" : started.error().describe());
    }
    Task<> connect(ProposalFilter filter = {}) {
        co_await start_provider();
        co_await connect_only(std::move(filter));
    }
    Task<> connect_only(ProposalFilter filter) {
        auto connecting = co_await consumer_->node->connect(std::move(filter));
        EXPECT_TRUE(connecting);
        auto settled = [this] { return status().state != ConnectionState::connecting; };
        co_await until(settled, "connected");
    }
    /// Replaces the consumer by one with other settings and the same files.
    void set_up_consumer(const ConsumerSettings& settings) {
        auto all = consumer_settings();
        all.consumer = settings;
        consumer_.reset();
        consumer_ = std::make_unique<TestNode>(world_, "consumer", std::move(all));
    }
    /// The consumer pays by ticks wherever it can.
    void use_ticks() {
        auto settings = consumer_settings().consumer;
        settings.ticks = pay::TickUse::always;
        set_up_consumer(settings);
    }
    /// Downloads until the provider holds a proof that ends in a tick.
    Task<> download_until_a_tick_is_held() {
        std::optional<ports::HeldVoucher> held;
        const auto deadline = world_.clock.now() + kPatience;
        while ((!held || !held->ticks || held->ticks->newest.index == 0) && world_.clock.now() < deadline) {
            world_.wire.carry(64 * 1024);
            co_await sleep_for(milliseconds(1));
            co_await read_voucher(held);
        }
        EXPECT_TRUE(held && held->ticks);
    }
    /// Downloads through the gate as fast as it lets us.
    Task<> download(std::uint64_t bytes) {
        const auto target = world_.wire.consumer.down + bytes;
        auto arrived = [this, target] {
            world_.wire.carry(std::min<std::uint64_t>(64 * 1024, target - world_.wire.consumer.down));
            return world_.wire.consumer.down >= target;
        };
        co_await until(arrived, "the download");
    }
    Task<> disconnect() {
        auto ended = co_await consumer_->node->disconnect();
        EXPECT_TRUE(ended);
    }
    Task<> wait_for(ConnectionState state) {
        auto reached = [this, state] { return status().state == state; };
        std::string what(to_string(state));
        co_await until(reached, std::move(what));
    }
    /// The provider's process is killed, and another starts on what was on disk at that moment.
    Task<> crash_and_restart_provider(NodeSettings settings = provider_settings()) {
        const auto before = world_.folder / provider_folder_;
        provider_folder_ += "+";
        std::filesystem::copy(before, world_.folder / provider_folder_, std::filesystem::copy_options::recursive);
        co_await provider_->node->shut_down();
        provider_.reset();
        co_await wait_for(ConnectionState::reconnecting);
        provider_ = std::make_unique<TestNode>(world_, provider_folder_, std::move(settings));
        auto started = co_await provider_->node->provider_start();
        EXPECT_TRUE(started);
    }
    /// The provider is killed in the session and comes back; both sides go on, and agree at the end.
    void expect_to_survive_a_crash() {
        const auto acknowledged = status().acknowledged;
        ASSERT_TRUE(world_.run(crash_and_restart_provider()));
        EXPECT_GE(held(), acknowledged);
        ASSERT_TRUE(world_.run(wait_for(ConnectionState::connected)));
        ASSERT_TRUE(world_.run(download(5 * kMiB)));
        ASSERT_TRUE(world_.run(disconnect()));
        EXPECT_EQ(status().last_error, "");
        EXPECT_EQ(held(), status().paid) << "both sides must agree on the lane's total";
    }
    /// The provider vanishes as soon as it is paid, again and again.
    Task<> vanish_until_blocked() {
        for (int round = 0; round < 10 && status().state != ConnectionState::blocked; ++round) {
            auto stopped = co_await provider_->node->provider_stop();
            EXPECT_TRUE(stopped);
            auto started = co_await provider_->node->provider_start();
            EXPECT_TRUE(started);
            auto settled = [this] {
                const auto state = status().state;
                return state == ConnectionState::blocked || state == ConnectionState::connected;
            };
            co_await wait_for(ConnectionState::reconnecting);
            co_await until(settled, "the next session");
        }
    }
    Task<> drain_until_blocked() {
        auto ended = [this] {
            world_.wire.carry(64 * 1024);
            return status().state == ConnectionState::blocked;
        };
        co_await until(ended, "the end of the deposit");
    }
    Task<> connect_without_provider() {
        ProposalFilter filter;
        auto connecting = co_await consumer_->node->connect(filter);
        EXPECT_TRUE(connecting);
        co_await wait_for(ConnectionState::disconnected);
    }
    Task<> replay(codec::Event request) {
        auto published = co_await world_.bus.publish(std::move(request));
        EXPECT_TRUE(published);
        auto answered = [this] { return answers_.size() >= 2; };
        co_await until(answered, "an answer to the replay");
    }
    Task<> expect_one_open_session() {
        auto provider = co_await provider_->node->provider_status();
        EXPECT_TRUE(provider);
        EXPECT_EQ(provider ? provider->open_sessions : 0U, 1U);
    }
    /// Connects, and gives up while the provider keeps the payment stream waiting.
    Task<> give_up_while_the_provider_hangs() {
        auto started = co_await provider_->node->provider_start();
        EXPECT_TRUE(started);
        world_.wire.gate_hangs = true;
        ProposalFilter filter;
        auto connecting = co_await consumer_->node->connect(filter);
        EXPECT_TRUE(connecting);
        auto waiting = [this] { return status().step == "paying for the first chunk"; };
        co_await until(waiting, "the payment stream");
        co_await sleep_for(milliseconds(20));
        co_await disconnect();
        world_.wire.gate_hangs = false;
    }
    Task<> expect_one_saved_session() {
        auto sessions = co_await consumer_->ledger->sold_sessions(provider_->keys->wallet()->address(), 10);
        EXPECT_TRUE(sessions);
        EXPECT_EQ(sessions ? sessions->size() : 0U, 1U);
    }
    /// Somebody who never registered offers the same for less, and dates it ahead.
    void publish_unregistered(std::size_t count, seconds ahead = {}) {
        for (std::size_t i = 0; i < count; ++i) {
            const auto key = crypto::PrivateKey::generate(world_.rng);
            Proposal proposal;
            proposal.payee = provider_->keys->wallet()->address();
            proposal.service = "wireguard";
            proposal.country = "DE";
            proposal.tariff = {Amount(1), Amount{}};
            proposal.published = world_.clock.unix_now() + ahead;
            proposal.expires = proposal.published + seconds(3600);
            world_.bus.stored.push_back(make_proposal(proposal, world_.chain.identity(), key, world_.rng));
        }
    }
    Task<> list_offers(std::vector<Proposal>& found) {
        ProposalQuery query;
        auto listed = co_await consumer_->node->proposals(std::move(query));
        EXPECT_TRUE(listed) << (listed ? "" : listed.error().describe());
        if (!listed) co_return;
        for (auto& offer : listed->offers) found.push_back(std::move(offer.proposal));
    }
    Task<> settle() {
        auto settled = co_await provider_->node->provider_settle();
        EXPECT_TRUE(settled);
    }
    ConnectionStatus status() { return consumer_->node->connection(); }
    Amount held() {
        Amount total;
        EXPECT_TRUE(world_.run(read_held(total)));
        return total;
    }
    Task<> read_held(Amount& total) {
        std::optional<ports::HeldVoucher> voucher;
        co_await read_voucher(voucher);
        if (voucher) total = voucher->total();
    }
    Task<> read_voucher(std::optional<ports::HeldVoucher>& held) {
        const auto signer = consumer_->keys->signer()->address();
        auto voucher = co_await provider_->ledger->highest_voucher(signer, provider_->keys->wallet()->address());
        if (voucher) held = *voucher;
    }

    World world_;
    std::unique_ptr<TestNode> consumer_;
    std::unique_ptr<TestNode> provider_;
    std::string provider_folder_ = "provider";
    std::vector<codec::Event> answers_;
};

}  // namespace myst::node::test
