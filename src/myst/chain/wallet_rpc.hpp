// What the outbox asks an endpoint about one account and its transactions. Stateless.
#pragma once

#include <optional>

#include "myst/chain/fee_policy.hpp"
#include "myst/chain/rpc_caller.hpp"
#include "myst/ports/chain.hpp"

namespace myst::chain {

/// Where a transaction stands, for an endpoint.
struct Receipt {
    ports::BlockRef block;  ///< canonical: the endpoint has this block at this number
    bool succeeded = false;
    std::uint64_t gas_used = 0;
};

/// Control thread. `client` must outlive it.
class WalletRpc {
public:
    WalletRpc(RpcCaller& client, const Address& account) : client_(client), account_(account) {}

    [[nodiscard]] Task<Result<std::uint64_t>> chain_id();
    [[nodiscard]] Task<Result<std::uint64_t>> block_number();
    /// Transactions of the account in the chain so far: the nonce of the next one.
    [[nodiscard]] Task<Result<std::uint64_t>> mined_count();
    [[nodiscard]] Task<Result<Uint256>> balance();
    /// None if it is not mined, or mined in a block that is not in the chain.
    [[nodiscard]] Task<Result<std::optional<Receipt>>> receipt(Hash32 hash);
    /// Whether the endpoint knows the transaction, mined or waiting.
    [[nodiscard]] Task<Result<bool>> knows(Hash32 hash);
    /// Gas for a call from the account, or the endpoint's refusal.
    [[nodiscard]] Task<Result<RpcReply>> estimate_gas(Address to, Bytes data);
    /// Sends once, without repetition: the reply, or a failure that leaves open whether it arrived.
    [[nodiscard]] Task<Result<RpcReply>> send(Bytes raw);
    [[nodiscard]] Task<Result<MarketFees>> fees();

private:
    [[nodiscard]] Task<Result<boost::json::value>> ask(std::string method, boost::json::array params);

    RpcCaller& client_;
    Address account_;
};

/// Whether the refusal of an estimation says that the call itself fails, rather than that the endpoint has a problem.
[[nodiscard]] bool is_revert(const RpcFault& fault);
/// Why it fails, for people.
[[nodiscard]] std::string describe_revert(const RpcFault& fault);

}  // namespace myst::chain
