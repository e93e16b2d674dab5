// The chain as the full node's own index tells it; only balances are asked of the endpoint.
#pragma once

#include "myst/chain/indexer.hpp"
#include "myst/chain/rpc_chain.hpp"
#include "myst/ports/provider_registry.hpp"

namespace myst::chain {

/// Control thread. `indexer` and `client` must outlive it. Accounts, lanes, owners and providers come from the tables,
/// as of Indexer::head(). They are not served out of date: unavailable until the index has reached the endpoint's head
/// once, and whenever it is far behind; failed_precondition once the indexer has halted. While the endpoint cannot be
/// reached they stay what they were.
/// The indexer checks the chain's identity at its start and every hour, RpcChain does for the rest.
class IndexedChain final : public ports::ChainReader, public ports::ProviderRegistry {
public:
    IndexedChain(Indexer& indexer, RpcCaller& client)
        : indexer_(indexer), remote_(indexer.settings().identity, client) {}

    [[nodiscard]] const ports::ChainIdentity& identity() const override { return remote_.identity(); }
    [[nodiscard]] Task<Result<ports::ContractTerms>> terms() override { return remote_.terms(); }
    /// The newest indexed block; the same errors.
    [[nodiscard]] Task<Result<ports::BlockRef>> head() override;
    [[nodiscard]] Task<Result<ports::AccountState>> account(Address signer) override;
    [[nodiscard]] Task<Result<Address>> owner_of(Address signer) override;
    [[nodiscard]] Task<Result<ports::LaneState>> lane(Address signer, Address provider) override;
    [[nodiscard]] Task<Result<ports::ProviderState>> provider(Address provider) override;
    [[nodiscard]] Task<Result<bool>> is_registered(NodeKey node_key) override;
    [[nodiscard]] Task<Result<std::vector<ports::RegisteredProvider>>> registered(Address after,
                                                                                  std::size_t limit) override;
    [[nodiscard]] bool counts_sales() const override { return true; }
    [[nodiscard]] Task<Result<ports::PayeeStates>> payees(std::vector<Address> addresses) override;
    [[nodiscard]] Task<Result<ports::SalesVolumes>> volumes(std::vector<ports::SalesKey> pairs) override;
    [[nodiscard]] Task<Result<Amount>> token_balance(Address holder) override { return remote_.token_balance(holder); }
    [[nodiscard]] Task<Result<Uint256>> ether_balance(Address holder) override { return remote_.ether_balance(holder); }
    [[nodiscard]] Task<Result<Uint256>> permit_nonce(Address owner) override { return remote_.permit_nonce(owner); }
    [[nodiscard]] Task<Result<Hash32>> permit_domain() override { return remote_.permit_domain(); }

private:
    [[nodiscard]] Result<> usable() const;

    Indexer& indexer_;
    RpcChain remote_;
};

}  // namespace myst::chain
