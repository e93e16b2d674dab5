// The lanes contract as a model: the rules of contracts/src for deposits, lanes, settlement with and without ticks, and
// ways out, in exact integers. Owners and relayed orders are left out.
#pragma once

#include <array>
#include <map>
#include <string>
#include <vector>

#include "myst/ports/chain.hpp"
#include "signatures.hpp"

namespace myst::sim {

/// A copy is a snapshot. Calls that the contract would revert change nothing and return false or zero.
class LanesModel {
public:
    using Account = ports::AccountState;
    using Lane = ports::LaneState;
    using Item = std::array<Hash32, 3>;      ///< as codec::settle_item packs it
    using TickItem = std::array<Hash32, 5>;  ///< as codec::settle_ticks_item packs it

    LanesModel(Signatures& signatures, std::uint64_t fee_bps, seconds window)
        : signatures_(&signatures), fee_bps_(fee_bps), window_(window) {}

    void deposit(const Address& signer, Amount amount);
    bool request_exit(const Address& signer, Amount amount, UnixTime now);
    /// What left the contract.
    Amount withdraw(const Address& signer, UnixTime now);
    bool request_release(const Address& signer, const Address& provider, UnixTime now);
    bool release(const Address& caller, const Address& signer, const Address& provider, UnixTime now);
    /// What left the payers' deposits, the fee included.
    Amount settle(const Address& provider, const std::vector<Item>& items);
    Amount settle_ticks(const Address& provider, const std::vector<TickItem>& items);

    [[nodiscard]] Account account(const Address& signer) const;
    [[nodiscard]] Lane lane(const Address& signer, const Address& provider) const;

    // The books, beside what the contract keeps.
    [[nodiscard]] Amount balance() const { return balance_; }  ///< tokens the contract holds
    [[nodiscard]] Amount deposited(const Address& signer) const;
    [[nodiscard]] Amount withdrawn(const Address& signer) const;
    /// Paid on all lanes and epochs of a payer.
    [[nodiscard]] Amount spent(const Address& signer) const;
    [[nodiscard]] Amount earned(const Address& provider) const;  ///< without the fee
    [[nodiscard]] Amount fees() const { return fees_; }

    /// Empty, or which sum does not come out: the contract's tokens against its accounts and lanes, each payer's
    /// deposits against what it paid, took back and can still take back, and all that came in against all that left.
    [[nodiscard]] std::string imbalance() const;

private:
    using LaneKey = std::pair<Address, Address>;  ///< payer, provider

    /// What an item that is in order amounts to.
    struct Claim {
        Address signer;
        std::uint32_t epoch = 0;
        Amount total;
        Amount cap;
    };
    [[nodiscard]] std::optional<Claim> read(const Address& provider, const Item& item) const;
    [[nodiscard]] std::optional<Claim> read(const Address& provider, const TickItem& item) const;
    template <class AnyItem>
    Amount settle_all(const Address& provider, const std::vector<AnyItem>& items);
    Amount apply(const Address& provider, const Claim& claim);

    Signatures* signatures_;
    std::uint64_t fee_bps_;
    seconds window_;
    std::map<Address, Account> accounts_;
    std::map<LaneKey, Lane> lanes_;
    Amount balance_;
    std::map<Address, Amount> deposited_;
    std::map<Address, Amount> withdrawn_;
    std::map<Address, Amount> spent_;
    std::map<Address, Amount> earned_;
    Amount fees_;
};

}  // namespace myst::sim
