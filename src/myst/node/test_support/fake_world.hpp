// A world in memory for tests of the node layer: a chain, a record bus, a tunnel driver, and nodes that live in it.
#pragma once

#include <filesystem>
#include <map>

#include <boost/asio/io_context.hpp>

#include "myst/base/test_support/temporary_directory.hpp"
#include "myst/ledger/sqlite_ledger.hpp"
#include "myst/node/node.hpp"
#include "myst/runtime/run_task.hpp"

namespace myst::node::test {

/// Repeats itself; keys made from it are different all the same.
class CountingRng final : public Rng {
public:
    void fill(std::span<std::uint8_t> out) override;

private:
    std::uint64_t count_ = 0;
};

/// Accounts and lanes as tests set them; everybody has ether and tokens.
class FakeChain final : public ports::ChainReader {
public:
    std::map<Address, ports::AccountState> accounts;
    std::map<std::pair<Address, Address>, ports::LaneState> lanes;
    std::map<Address, ports::ProviderState> providers;
    std::optional<std::map<Address, ports::PayeeSales>> sales;  ///< none: there is no index
    ports::SalesVolumes volume;                                 ///< who has paid whom
    std::size_t payee_questions = 0;
    std::size_t most_pairs = 0;                                 ///< in one question for volumes
    std::function<bool()> out_of_reach = [] { return false; };  ///< whether reads of accounts and lanes fail
    std::optional<Address> unreadable;                          ///< whose lanes and account cannot be read
    std::function<bool(const Address& signer)> hangs;  ///< whether a read of a lane waits until this is false again
    std::size_t lane_reads = 0;                        ///< that were begun
    std::size_t account_reads = 0;                     ///< likewise

    [[nodiscard]] const ports::ChainIdentity& identity() const override { return identity_; }
    [[nodiscard]] Task<Result<ports::ContractTerms>> terms() override {
        co_return ports::ContractTerms{50, seconds(60), {}};
    }
    std::uint64_t head_number = 100;
    [[nodiscard]] Task<Result<ports::BlockRef>> head() override { co_return ports::BlockRef{head_number, {}, {}}; }
    [[nodiscard]] Task<Result<ports::AccountState>> account(Address signer) override {
        ++account_reads;
        if (out_of_reach() || unreadable == signer) {
            co_return fail(ErrorCode::unavailable, "the chain is out of reach");
        }
        co_return accounts[signer];
    }
    [[nodiscard]] Task<Result<Address>> owner_of(Address) override { co_return Address{}; }
    [[nodiscard]] Task<Result<ports::LaneState>> lane(Address signer, Address provider) override {
        ++lane_reads;
        while (hangs && hangs(signer)) co_await sleep_for(milliseconds(1));
        if (out_of_reach() || unreadable == signer) {
            co_return fail(ErrorCode::unavailable, "the chain is out of reach");
        }
        co_return lanes[{signer, provider}];
    }
    [[nodiscard]] Task<Result<ports::ProviderState>> provider(Address provider) override {
        co_return providers[provider];
    }
    [[nodiscard]] bool counts_sales() const override { return sales.has_value(); }
    [[nodiscard]] Task<Result<ports::PayeeStates>> payees(std::vector<Address> addresses) override {
        ++payee_questions;
        ports::PayeeStates states;
        for (const auto& each : addresses) {
            states[each].entry = providers[each];
            if (sales) states[each].sales = (*sales)[each];
        }
        co_return states;
    }
    [[nodiscard]] Task<Result<ports::SalesVolumes>> volumes(std::vector<ports::SalesKey> pairs) override {
        ports::SalesVolumes found;
        most_pairs = std::max(most_pairs, pairs.size());
        for (const auto& each : pairs) found[each] = volume[each];
        co_return found;
    }
    [[nodiscard]] Task<Result<Amount>> token_balance(Address) override { co_return Amount(1'000'000); }
    [[nodiscard]] Task<Result<Uint256>> ether_balance(Address) override { co_return Uint256(1); }
    [[nodiscard]] Task<Result<Uint256>> permit_nonce(Address) override { co_return Uint256(0); }
    [[nodiscard]] Task<Result<Hash32>> permit_domain() override { co_return Hash32{}; }

private:
    ports::ChainIdentity identity_{31337, Address{{7}}, Address{{8}}};
};

struct World;

/// Accepts every transaction at once, in the fake chain's newest block.
class FakeSender final : public ports::TxSender {
public:
    explicit FakeSender(World& world) : world_(world) {}
    [[nodiscard]] Address sender() const override { return {}; }
    [[nodiscard]] Task<Result<ports::TxOutcome>> submit(ports::TxIntent intent) override;
    [[nodiscard]] Task<Result<std::optional<ports::TxIntent>>> open_intent(ports::TxKind kind) override;

private:
    World& world_;
};

/// Everybody hears everybody.
class FakeBus final : public ports::RecordNetwork {
public:
    std::vector<codec::Event> stored;
    bool deaf = false;                   ///< drops everything that is published
    std::optional<NodeKey> slow_author;  ///< whose records are delivered, but not reported until this is cleared
    std::vector<std::string> named;      ///< relays of the last exchange

    [[nodiscard]] Task<Result<ports::PublishReport>> publish(codec::Event event) override;
    [[nodiscard]] Task<Result<std::vector<codec::Event>>> query(std::vector<codec::Filter> filters,
                                                                std::size_t limit) override;
    [[nodiscard]] std::unique_ptr<ports::Subscription> subscribe(std::vector<codec::Filter> filters,
                                                                 Callback callback) override;
    [[nodiscard]] Task<Result<>> exchange(ports::EnvelopeExchange exchange) override;
    [[nodiscard]] std::vector<ports::RelayStatus> relays() const override { return {}; }

private:
    class Handle;
    struct Follower {
        std::vector<codec::Filter> filters;
        Callback callback;
    };
    std::map<std::uint64_t, Follower> followers_;
    std::uint64_t next_ = 0;
};

/// The wire of the fake tunnel: `carry` moves payload through the gate of the one peer, loopback carries payments.
struct FakeWire {
    std::uint64_t allowance = 0;
    ports::TrafficCounters consumer;
    ports::TrafficCounters provider;
    std::optional<SessionId> peer;
    bool dead = false;              ///< the exit has vanished
    bool gate_hangs = false;        ///< settings of the gate wait until this is false again
    bool close_hangs = false;       ///< closing the client's tunnel waits likewise
    bool removal_hangs = false;     ///< taking the peer out of the exit waits likewise
    std::uint64_t last_moment = 0;  ///< bytes that pass while the gate is being closed
    int removals = 0;               ///< that were begun
    int client_tunnels = 0;
    std::string payment_host = "127.0.0.1";             ///< where consumers are told to pay
    std::function<void(std::uint16_t port)> on_listen;  ///< hears of the port at 127.0.0.1 where the provider waits

    /// Downloads up to `bytes`; returns what the gate let pass.
    std::uint64_t carry(std::uint64_t bytes);
};

class FakeDriver final : public ports::TunnelDriver {
public:
    explicit FakeDriver(FakeWire& wire) : wire_(wire) {}
    [[nodiscard]] std::string service() const override { return "wireguard"; }
    [[nodiscard]] Result<> available() const override { return {}; }
    [[nodiscard]] KeyPair make_keys() override { return {TunnelKey{{3}}, {}}; }
    [[nodiscard]] Task<Result<std::unique_ptr<ports::ClientTunnel>>> connect(ports::TunnelOffer offer,
                                                                             KeyPair keys) override;
    [[nodiscard]] Task<Result<std::unique_ptr<ports::ExitTunnel>>> open_exit(ports::ExitSettings settings) override;
    [[nodiscard]] Task<Result<>> remove_stale() override { co_return Result<>(); }

private:
    FakeWire& wire_;
};

/// The world and what two nodes in it share.
struct World {
    asio::io_context context;
    SystemClock clock;
    CountingRng rng;
    WorkerPool workers{1};
    FakeChain chain;
    FakeBus bus;
    FakeWire wire;
    std::vector<ports::TxIntent> sent;
    std::optional<ports::TxIntent> open_intent;                          ///< what an earlier run left in the outbox
    std::function<std::optional<Error>(const ports::TxIntent&)> refuse;  ///< why a transaction is not sent
    std::function<void(const ports::TxIntent&)> on_mined;                ///< what a transaction does to the chain
    unsigned pow_bits = 0;                                               ///< of nodes made from now on
    int senders = 0;                                                     ///< opened outboxes
    TemporaryDirectory directory;
    std::filesystem::path folder = directory.path();

    /// Runs a task to its end; false if it threw.
    bool run(Task<> task);
};

/// One node with keys, ledger and wallet of its own below the world's folder; the same name finds the same files. One
/// that may provide is registered on chain.
struct TestNode {
    TestNode(World& world, const std::string& name, NodeSettings settings);
    std::unique_ptr<KeyRing> keys;
    std::unique_ptr<ledger::SqliteLedger> ledger;
    FakeDriver driver;
    std::unique_ptr<Node> node;
};

/// A provider's settings that work in this world.
[[nodiscard]] NodeSettings provider_settings();
/// One that pays a MiB at a time, by voucher.
[[nodiscard]] NodeSettings consumer_settings();

}  // namespace myst::node::test
