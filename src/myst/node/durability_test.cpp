// What must be on disk before something else happens (docs/protocol.md, "What must be on disk, and when"): provider and
// consumer in one process, and the disk of one of them is full.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "myst/node/test_support/fake_world.hpp"
#include "myst/sys/test_support/full_disk.hpp"

namespace myst::node::test {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;
constexpr milliseconds kPatience{10'000};
constexpr milliseconds kLongEnough{300};  // for a frame under way to be stored, and for the gate to be set again

class DurabilityTest : public testing::Test {
protected:
    DurabilityTest()
        : consumer_(world_, "consumer", consumer_settings()), provider_(world_, "provider", provider_settings()) {
        world_.chain.accounts[payer()].free = Amount(1'000'000);
    }
    ~DurabilityTest() override { EXPECT_TRUE(world_.run(shut_down())); }

    Task<> shut_down() {
        co_await consumer_.node->shut_down();
        co_await provider_.node->shut_down();
    }
    Task<> connect() {
        auto started = co_await provider_.node->provider_start();
        EXPECT_TRUE(started);
        ProposalFilter filter;
        auto connecting = co_await consumer_.node->connect(std::move(filter));
        EXPECT_TRUE(connecting);
        co_await while_in(ConnectionState::connecting);
    }
    /// Uses what the gate lets pass as long as the connection stays in `state`.
    Task<> while_in(ConnectionState state) {
        const auto deadline = world_.clock.now() + kPatience;
        while (status().state == state) {
            if (world_.clock.now() > deadline) {
                ADD_FAILURE() << "the connection stays as it is";
                co_return;
            }
            world_.wire.carry(64 * 1024);
            co_await sleep_for(milliseconds(1));
        }
    }
    /// Lets a ledger's file grow; the limit at which only this ledger cannot go on.
    Task<> fill(TestNode& node, std::string name, std::uintmax_t& size) {
        for (int i = 0; i < 100; ++i) {
            ports::SessionRecord record;
            record.id.bytes[0] = static_cast<std::uint8_t>(i);
            record.id.bytes[1] = 0xf1;
            auto saved = co_await node.ledger->save_session(std::move(record));
            EXPECT_TRUE(saved);
        }
        size = std::filesystem::file_size(world_.folder / name / "ledger.db-wal");
    }
    Task<> read_held(Amount& total) {
        auto voucher = co_await provider_.ledger->highest_voucher(payer(), payee());
        if (voucher && *voucher) total = (*voucher)->voucher.voucher.total;
    }
    Amount held() {
        Amount total;
        EXPECT_TRUE(world_.run(read_held(total)));
        return total;
    }
    Task<> wait_for_more_than(Amount total, Amount& found) {
        const auto deadline = world_.clock.now() + kLongEnough;
        while (found <= total && world_.clock.now() < deadline) {
            co_await read_held(found);
            co_await sleep_for(milliseconds(1));
        }
    }
    /// As if the payer had paid `total`, but with a signature of somebody else.
    Task<> plant_foreign_voucher(Amount total) {
        const auto stranger = crypto::PrivateKey::generate(world_.rng);
        const codec::LaneDomain domain(world_.chain.identity().chain_id, world_.chain.identity().lanes);
        const codec::Voucher voucher{payee(), 0, total, total};
        const ports::HeldVoucher held{payer(), codec::sign_voucher(domain, voucher, stranger), {}};
        ports::SessionRecord record;
        auto kept = co_await provider_.ledger->keep_voucher(held, std::move(record));
        EXPECT_TRUE(kept);
    }
    /// Uses what the gate lets pass, as long as a credit that should not be there would need to show.
    Task<> use_on() {
        const auto deadline = world_.clock.now() + kLongEnough;
        while (world_.clock.now() < deadline) {
            world_.wire.carry(64 * 1024);
            co_await sleep_for(milliseconds(1));
        }
    }
    ConnectionStatus status() { return consumer_.node->connection(); }
    [[nodiscard]] Address payer() const { return consumer_.keys->signer()->address(); }
    [[nodiscard]] Address payee() const { return provider_.keys->wallet()->address(); }

    World world_;
    TestNode consumer_;
    TestNode provider_;
};

TEST_F(DurabilityTest, AVoucherThatCannotBeStoredIsNeitherCreditedNorAcknowledged) {
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_EQ(status().state, ConnectionState::connected) << status().last_error;
    std::uintmax_t size = 0;
    ASSERT_TRUE(world_.run(fill(provider_, "provider", size)));
    const auto before = held();
    {
        const sys::testing::FullDisk full(size);
        ASSERT_TRUE(world_.run(while_in(ConnectionState::connected)));
        ASSERT_TRUE(world_.run(use_on()));
    }
    EXPECT_GT(status().paid, before) << "the consumer's own disk is not full";
    EXPECT_EQ(status().acknowledged, before);
    EXPECT_LE(world_.wire.provider.total(),
              pay::bytes_covered(provider_settings().provider.tariff, before, milliseconds(0)) + kMiB);
}

TEST_F(DurabilityTest, AVoucherThatCannotBeStoredIsNotSent) {
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_EQ(status().state, ConnectionState::connected) << status().last_error;
    std::uintmax_t size = 0;
    ASSERT_TRUE(world_.run(fill(consumer_, "consumer", size)));
    const auto before = held();
    Amount after;
    {
        const sys::testing::FullDisk full(size);
        ASSERT_TRUE(world_.run(while_in(ConnectionState::connected)));
        ASSERT_TRUE(world_.run(wait_for_more_than(before, after)));
    }
    EXPECT_EQ(after, before);
    EXPECT_EQ(status().state, ConnectionState::blocked) << "a disk that failed is not trusted again";
}

TEST_F(DurabilityTest, AVoucherThatTheConsumerDidNotSignIsNotAdopted) {
    ASSERT_TRUE(world_.run(plant_foreign_voucher(Amount(500'000))));
    ASSERT_TRUE(world_.run(connect()));
    ASSERT_TRUE(world_.run(while_in(ConnectionState::disconnecting)));
    EXPECT_EQ(status().state, ConnectionState::disconnected);
    EXPECT_NE(status().last_error.find("did not sign"), std::string::npos) << status().last_error;
    EXPECT_TRUE(status().paid.is_zero());
}

}  // namespace
}  // namespace myst::node::test
