// For tests: a chain that is made up, with a model of the lanes contract that emits the events the real one would.
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "myst/chain/block_source.hpp"

namespace myst::chain::testing {

/// A log that decodes to this event.
[[nodiscard]] Log encode_event(const LanesEvent& event, const Address& contract);

/// One of a few accounts, providers and keys; `i` is taken modulo nothing, small numbers suffice.
[[nodiscard]] Address account_at(unsigned i);

/// The books of the contract. Every operation that the contract would refuse emits nothing.
class LanesModel {
public:
    using LaneKey = std::pair<Address, Address>;  ///< signer, provider
    std::map<Address, ports::AccountState> accounts;
    std::map<Address, Address> owners;
    std::map<LaneKey, ports::LaneState> lanes;
    std::map<Address, ports::ProviderState> providers;
    std::map<LaneKey, std::vector<Amount>> sales;  ///< what each settlement brought, over all epochs

    void deposit(Address signer, Amount amount, std::vector<LanesEvent>& events);
    /// Applies a voucher (total, cap) of each signer; a fee of one unit is taken if anything is paid.
    void settle(Address provider, std::vector<std::tuple<Address, Amount, Amount>> vouchers,
                std::vector<LanesEvent>& events);
    void request_release(Address signer, Address provider, UnixTime at, std::vector<LanesEvent>& events);
    void release(Address signer, Address provider, std::vector<LanesEvent>& events);
    void request_exit(Address signer, Amount amount, UnixTime at, std::vector<LanesEvent>& events);
    void withdraw(Address signer, Address to, std::vector<LanesEvent>& events);
    void set_owner(Address signer, Address owner, std::vector<LanesEvent>& events);
    void enroll(Address provider, NodeKey key, Amount stake, std::vector<LanesEvent>& events);
    void request_unregister(Address provider, UnixTime at, std::vector<LanesEvent>& events);
    void unregister(Address provider, std::vector<LanesEvent>& events);
    /// One operation chosen by a number; any number is valid.
    void random_operation(std::uint32_t choice, UnixTime at, std::vector<LanesEvent>& events);
};

/// A chain with the model at every block. Reorganisations cut it and grow another branch.
class ScriptedChain final : public BlockSource {
public:
    explicit ScriptedChain(std::uint64_t id = 31337);

    /// Adds a block with these events; `salt` makes the same content a different block.
    void mine(const std::vector<std::uint32_t>& operations, std::uint32_t salt = 0);
    /// Forgets the newest blocks.
    void drop(std::size_t count);

    [[nodiscard]] const BlockHeader& tip() const { return blocks_.back().header; }
    [[nodiscard]] std::uint64_t height() const { return tip().number; }
    [[nodiscard]] const LanesModel& model() const { return models_.back(); }
    [[nodiscard]] std::vector<Block>& mutable_blocks() { return blocks_; }
    static const Address& contract();

    std::uint64_t id;                    ///< what chain_id() answers
    std::optional<std::uint64_t> lag{};  ///< pretends that this is the head
    unsigned failures = 0;               ///< that many of the next calls fail
    std::size_t max_range = 1000;        ///< larger ranges are refused
    std::optional<Error> no_receipts{};  ///< what a ScriptedEndpoint says when asked for receipts
    std::size_t asked = 0;               ///< ranges asked for
    std::size_t calls = 0;

    Task<Result<std::uint64_t>> chain_id() override;
    Task<Result<std::uint64_t>> head_number() override;
    Task<Result<BlockHeader>> header(std::uint64_t number) override;
    Task<Result<std::vector<Block>>> blocks(std::uint64_t first, std::uint64_t last) override;

private:
    Result<> fault();
    std::vector<Block> blocks_;
    std::vector<LanesModel> models_;
};

}  // namespace myst::chain::testing
