// The chain as an endpoint tells it, one eth_call per question: for light clients, which keep no index.
#pragma once

#include <optional>

#include "myst/chain/rpc_caller.hpp"
#include "myst/ports/chain.hpp"

namespace myst::chain {

/// Control thread. `client` must outlive it.
///
/// Before the first answer and every hour it makes sure that the endpoint serves the configured chain and that the
/// lanes contract there pays in the configured token; if not, every call fails with failed_precondition.
class RpcChain final : public ports::ChainReader {
public:
    RpcChain(ports::ChainIdentity identity, RpcCaller& client, milliseconds check_every = milliseconds(3'600'000))
        : identity_(identity), client_(client), check_every_(check_every) {}

    [[nodiscard]] const ports::ChainIdentity& identity() const override { return identity_; }
    /// Asked once: they never change.
    [[nodiscard]] Task<Result<ports::ContractTerms>> terms() override;
    [[nodiscard]] Task<Result<ports::BlockRef>> head() override;
    [[nodiscard]] Task<Result<ports::AccountState>> account(Address signer) override;
    [[nodiscard]] Task<Result<Address>> owner_of(Address signer) override;
    [[nodiscard]] Task<Result<ports::LaneState>> lane(Address signer, Address provider) override;
    [[nodiscard]] Task<Result<ports::ProviderState>> provider(Address provider) override;
    [[nodiscard]] Task<Result<Amount>> token_balance(Address holder) override;
    [[nodiscard]] Task<Result<Uint256>> ether_balance(Address holder) override;
    [[nodiscard]] Task<Result<Uint256>> permit_nonce(Address owner) override;
    [[nodiscard]] Task<Result<Hash32>> permit_domain() override;

private:
    /// Asks for the chain id and the contract's token.
    [[nodiscard]] Task<Result<>> verify();
    [[nodiscard]] Task<Result<>> verify_if_due();
    /// eth_call at the newest block, without the identity check.
    [[nodiscard]] Task<Result<Bytes>> call_contract(Address to, Bytes data);
    template <class T>
    [[nodiscard]] Task<Result<T>> ask(Address to, Bytes data, Result<T> (*decode)(BytesView));

    ports::ChainIdentity identity_;
    RpcCaller& client_;
    milliseconds check_every_;
    std::optional<MonotonicTime> verified_;
    std::optional<ports::ContractTerms> terms_;
};

}  // namespace myst::chain
