// What the node needs from Ethereum, without saying how it is obtained.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "myst/base/amount.hpp"
#include "myst/base/bytes.hpp"
#include "myst/base/clock.hpp"
#include "myst/base/uint256.hpp"
#include "myst/runtime/task.hpp"

namespace myst::ports {

/// The contracts a node works with. Pinned by configuration, never taken from a peer.
struct ChainIdentity {
    std::uint64_t chain_id = 0;
    Address lanes;  ///< the lanes contract
    Address token;  ///< the ERC-20 it pays in
};

struct BlockRef {
    std::uint64_t number = 0;
    Hash32 hash;
    UnixTime time{};
};

/// A payer's account in the lanes contract.
struct AccountState {
    Amount free;     ///< spendable and not reserved
    Amount exiting;  ///< announced for withdrawal
    UnixTime exit_at{};
    bool operator==(const AccountState&) const = default;
};

/// One payer→provider lane in the lanes contract.
struct LaneState {
    Amount paid;
    Amount cap;
    UnixTime release_at{};  ///< zero if no release was requested
    std::uint32_t epoch = 0;
    bool operator==(const LaneState&) const = default;
};

/// A provider's entry in the registry; a zero node key means "not registered".
struct ProviderState {
    NodeKey node_key;
    Amount stake;
    UnixTime leave_at{};
    bool operator==(const ProviderState&) const = default;
};

/// What a payee has been paid on chain, over all lanes and epochs.
struct PayeeSales {
    std::uint64_t settlements = 0;  ///< vouchers that brought money
    std::uint64_t payers = 0;       ///< that such vouchers came from
    Amount volume;                  ///< the network's fee included
    Amount weight;                  ///< the same, but of each payer at most kMostWeight
    bool operator==(const PayeeSales&) const = default;
};
/// What a single payer can count for in PayeeSales::weight: one token.
inline constexpr Amount kMostWeight{1'000'000'000'000'000'000};

/// What the chain tells of a payee.
struct PayeeState {
    ProviderState entry;                ///< in the registry
    std::optional<PayeeSales> sales{};  ///< none if this reader keeps no index
    bool operator==(const PayeeState&) const = default;
};
using PayeeStates = std::map<Address, PayeeState>;

/// A payee and one of its payers.
struct SalesKey {
    Address payee;
    Address payer;
    auto operator<=>(const SalesKey&) const = default;
};
/// What a payer has paid to a payee on chain, over all epochs.
using SalesVolumes = std::map<SalesKey, Amount>;

/// What was fixed when the lanes contract was deployed.
struct ContractTerms {
    std::uint64_t fee_bps = 0;  ///< network fee on settled amounts, in 1/10 000
    seconds window{};           ///< between announcing and taking out money
    Amount min_stake;           ///< of a provider's registration
};

/// Reads the canonical chain. Control thread.
class ChainReader {
public:
    virtual ~ChainReader() = default;
    [[nodiscard]] virtual const ChainIdentity& identity() const = 0;
    [[nodiscard]] virtual Task<Result<ContractTerms>> terms() = 0;
    /// The newest block this reader knows.
    [[nodiscard]] virtual Task<Result<BlockRef>> head() = 0;
    [[nodiscard]] virtual Task<Result<AccountState>> account(Address signer) = 0;
    /// The cold owner of a signer, or zero.
    [[nodiscard]] virtual Task<Result<Address>> owner_of(Address signer) = 0;
    [[nodiscard]] virtual Task<Result<LaneState>> lane(Address signer, Address provider) = 0;
    [[nodiscard]] virtual Task<Result<ProviderState>> provider(Address provider) = 0;
    /// Whether `payees` tells of sales, and costs the same for many as for one.
    [[nodiscard]] virtual bool counts_sales() const { return false; }
    /// An entry for each of these addresses, zeros for those the chain does not know. Asks `provider` for one after the
    /// other unless `counts_sales`.
    [[nodiscard]] virtual Task<Result<PayeeStates>> payees(std::vector<Address> addresses);
    /// An entry for each of these pairs, zero if nothing was paid. failed_precondition unless `counts_sales`.
    [[nodiscard]] virtual Task<Result<SalesVolumes>> volumes(std::vector<SalesKey> pairs);
    [[nodiscard]] virtual Task<Result<Amount>> token_balance(Address holder) = 0;
    /// In wei.
    [[nodiscard]] virtual Task<Result<Uint256>> ether_balance(Address holder) = 0;
    /// EIP-2612 nonce of the token, and the token's EIP-712 domain separator.
    [[nodiscard]] virtual Task<Result<Uint256>> permit_nonce(Address owner) = 0;
    [[nodiscard]] virtual Task<Result<Hash32>> permit_domain() = 0;
};

/// What a transaction is for. The node has one of a kind under way at a time.
enum class TxKind {
    deposit,
    set_owner,
    exit,
    withdraw,
    approve,
    register_provider,
    settle,
    request_release,
    release,
    request_unregister,
    unregister,
};
/// How the keys of such intents begin, before a colon. Stored in files, hence never to be changed.
[[nodiscard]] std::string_view to_string(TxKind kind);

/// One thing the node wants done on chain. `key` names it for ever: submitting the same key again never sends a
/// second transaction, it reports the outcome of the first.
struct TxIntent {
    std::string key;      ///< e.g. "register:0xabc…:1"
    std::string purpose;  ///< for people: "settle 12 vouchers"
    Address to;
    Bytes data;
};

struct TxOutcome {
    Hash32 hash;
    BlockRef block;
    bool succeeded = false;  ///< false: the transaction was mined and reverted
    std::uint64_t gas_used = 0;
};

/// Sends transactions from the operator's wallet, each intent exactly once. Control thread.
class TxSender {
public:
    virtual ~TxSender() = default;
    /// The account that sends and pays gas.
    [[nodiscard]] virtual Address sender() const = 0;
    /// Stores, signs, sends, and waits until the transaction is mined. The intent survives a restart.
    [[nodiscard]] virtual Task<Result<TxOutcome>> submit(TxIntent intent) = 0;
    /// The oldest intent of this kind that is not mined or refused yet, perhaps of an earlier run of the program; none
    /// if there is none.
    [[nodiscard]] virtual Task<Result<std::optional<TxIntent>>> open_intent(TxKind kind) = 0;
};

}  // namespace myst::ports
