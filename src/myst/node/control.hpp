// Everything a user can ask of a node. The web API serves exactly this; the console uses nothing else.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "myst/base/amount.hpp"
#include "myst/base/bytes.hpp"
#include "myst/base/clock.hpp"
#include "myst/base/uint256.hpp"
#include "myst/node/offer_change.hpp"
#include "myst/node/proposal.hpp"
#include "myst/pay/settlement_policy.hpp"
#include "myst/pay/tariff.hpp"
#include "myst/ports/chain.hpp"
#include "myst/ports/chain_status.hpp"
#include "myst/ports/record_network.hpp"
#include "myst/ports/tunnel.hpp"
#include "myst/runtime/task.hpp"

namespace myst::node {

/// The addresses of this node's keys.
struct WalletInfo {
    Address address;  ///< operator wallet: holds ether and tokens, sends transactions
    Address signer;   ///< payment signer: can only pay providers
};

struct WalletBalance {
    WalletInfo wallet;
    Uint256 ether;  ///< wei of the wallet
    Amount tokens;  ///< of the wallet
    ports::AccountState deposit;
};

struct DepositResult {
    Hash32 transaction;
    Amount deposited;
    Amount free;  ///< the account's free balance afterwards
};

/// Withdrawing takes two calls: the first announces, the second, after the window, pays out.
struct WithdrawResult {
    Hash32 transaction;
    bool paid_out = false;    ///< false: announced only
    Amount amount;            ///< announced or paid out
    UnixTime available_at{};  ///< when the second call will succeed; only if announced
};

/// What one provider has set aside on chain of this node's deposit, or can still draw.
struct Reservation {
    Address provider;         ///< the payee
    Amount promised;          ///< by the newest voucher of this epoch, and not drawn yet
    Amount reserved;          ///< set aside for this provider, and not drawn yet
    UnixTime available_at{};  ///< when it comes back; zero: its release was not requested
};

/// Taking a reservation back takes two calls: the first announces, the second, after the window, releases the lane.
struct ReleaseResult {
    Hash32 transaction;
    bool released = false;    ///< false: announced only
    Amount amount;            ///< that comes back to the deposit, if the provider draws nothing in between
    UnixTime available_at{};  ///< when the second call will succeed; only if announced
};

/// Leaving the registry takes two calls as well.
struct UnregisterResult {
    Hash32 transaction;
    bool left = false;        ///< false: announced only
    Amount stake;             ///< that comes back to the wallet
    UnixTime available_at{};  ///< when the second call will succeed; only if announced
};

enum class ConnectionState {
    disconnected,
    connecting,
    connected,
    reconnecting,
    disconnecting,
    blocked,  ///< ended without the user's wish: the tunnel's routes and resolvers stay, so nothing leaves in clear
};
[[nodiscard]] std::string_view to_string(ConnectionState state);

struct ConnectionStatus {
    ConnectionState state = ConnectionState::disconnected;
    std::string step;        ///< what is going on while connecting, or how to leave `blocked`; for people
    std::string last_error;  ///< why the last attempt or session ended; empty if it ended as asked
    std::optional<Proposal> proposal;
    SessionId session;
    std::string interface_name;
    ports::TrafficCounters traffic;       ///< inner IP bytes of this session
    ports::TrafficCounters traffic_peer;  ///< the same as the provider last reported
    std::uint64_t bytes_per_second = 0;   ///< both directions, over the last seconds
    Amount paid;                          ///< in this session
    Amount acknowledged;                  ///< of it, confirmed by the provider as stored
    std::uint64_t vouchers = 0;           ///< sent in this session
    Amount deposit_left;                  ///< free deposit not yet promised to anyone
    std::uint64_t bytes_left = 0;         ///< what deposit_left still buys here; kUnlimitedBytes if data is free
    milliseconds connect_time{};          ///< from command to tunnel up and first payment acknowledged
    seconds connected_for{};
};

/// A session this node sells.
struct ProvidedSession {
    SessionId id;
    Address signer;
    UnixTime started{};
    UnixTime ended{};  ///< zero while open
    ports::TrafficCounters traffic;
    Amount cost;
    Amount paid;
    std::uint64_t vouchers = 0;
    std::uint64_t allowance = 0;  ///< bytes the gate lets pass in all
    bool gate_open = false;
    std::string end_reason;
};

struct ProviderStatus {
    bool running = false;
    std::string step;  ///< what is going on while starting
    std::optional<Proposal> proposal;
    bool registered = false;
    std::size_t open_sessions = 0;
    Amount earned;     ///< total of all vouchers held
    Amount unsettled;  ///< of it, not yet paid on chain
};

/// A key that is not to be trusted any more, and who has been told so.
struct RevokeResult {
    NodeKey key;
    std::vector<std::string> told;  ///< relays, "local" for the own store
};

struct SettleResult {
    std::vector<Hash32> transactions;
    std::size_t vouchers = 0;  ///< lanes settled
    Amount amount;             ///< to the provider, after the fee
    Amount fee;                ///< to the treasury
    std::uint64_t gas_used = 0;
};

/// What a payer of this provider owes, and what stands behind it.
struct PayerExposure {
    Address signer;
    bool in_session = false;
    Amount unsettled;      ///< paid in vouchers and not drawn on chain yet, as far as it can be drawn now
    Amount reserved;       ///< of what was paid, set aside on chain for this provider
    Amount on_signature;   ///< of what was paid, nothing is set aside for; at risk
    Amount unpaid;         ///< used beyond what was paid, all sessions together; at risk
    UnixTime deadline{};   ///< when the payer can take money out; zero: it has announced nothing
    UnixTime settle_by{};  ///< the deadline less the margin; zero if there is no deadline
    pay::SettleReason settles_because{};  ///< why the policy would settle it now
};

/// The limits and the settlement policy of the provider role, and how far they are used.
struct ProviderLimits {
    std::uint64_t credit_bytes = 0;  ///< forwarded ahead of payment
    Amount credit;                   ///< their price and that of the time credit: the most a payer gets for nothing
    Amount risk_limit;               ///< most that may rest on one payer's signatures
    Amount min_free;                 ///< deposit that a consumer must have left
    pay::SettlementTerms policy;
    seconds outage_tolerated{};
    std::vector<PayerExposure> payers;  ///< that have something unsettled, most at risk first; at most `kMaxPayers`
    static constexpr std::size_t kMaxPayers = 500;
    std::size_t payer_count = 0;  ///< all of them; the sums count all
    Amount unsettled;
    Amount reserved;
    Amount on_signature;
    Amount unpaid;
    UnixTime next_deadline{};  ///< the earliest `deadline`; zero if there is none
    Amount settlement_cost;    ///< gas of settling all of it now, in tokens by the configured price
    std::string last_failure;  ///< of the settlements that nobody asked for; empty if the last one went well
};

struct NodeStatus {
    std::string version;
    NodeKey node_key;
    std::vector<std::string> roles;  ///< "full", "provider", "consumer"
    ports::ChainIdentity chain;
    std::optional<ports::BlockRef> head;
    std::string chain_error;  ///< empty if the chain can be read
    ports::ChainStatus chain_status;
    std::vector<ports::RelayStatus> relays;
    ConnectionStatus connection;
    ProviderStatus provider;
};

/// A node as its user sees it. Control thread. Every failure is an Error with a cure where there is one.
class Control {
public:
    virtual ~Control() = default;
    [[nodiscard]] virtual Task<Result<NodeStatus>> status() = 0;

    /// Creates the wallet and the payment signer; already_exists if there is a wallet.
    [[nodiscard]] virtual Task<Result<WalletInfo>> wallet_create() = 0;
    [[nodiscard]] virtual Task<Result<WalletInfo>> wallet_info() = 0;
    [[nodiscard]] virtual Task<Result<WalletBalance>> wallet_balance() = 0;
    /// Moves tokens from the wallet into the payment account, with one permit signature and one transaction.
    [[nodiscard]] virtual Task<Result<DepositResult>> wallet_deposit(Amount amount) = 0;
    /// Announces a withdrawal of `amount` (all free if none), or pays out one whose window has passed.
    [[nodiscard]] virtual Task<Result<WithdrawResult>> wallet_withdraw(std::optional<Amount> amount) = 0;

    /// What is set aside for providers, or can still be drawn by them: those this node has paid.
    [[nodiscard]] virtual Task<Result<std::vector<Reservation>>> wallet_reservations() = 0;
    /// Announces that what is set aside for `provider` (a payee) is taken back, or does so once the window has passed.
    /// failed_precondition while connected to it.
    [[nodiscard]] virtual Task<Result<ReleaseResult>> wallet_release(Address provider) = 0;

    /// One page of the offers of registered providers. invalid_argument for a cursor that does not belong to the query;
    /// failed_precondition if it needs a chain index and there is none.
    [[nodiscard]] virtual Task<Result<OfferPage>> proposals(ProposalQuery query) = 0;
    /// Asks the eight cheapest of the offers that match, of the 32 cheapest and not measured lately, how long an answer
    /// takes. `proposals` does so by itself if its order or filter needs it; this is for those who want to show how it
    /// goes.
    [[nodiscard]] virtual Task<Result<LatencyRound>> measure_latency(ProposalFilter filter) = 0;
    /// The same offers as they come and go; ends before the node does. failed_precondition likewise.
    [[nodiscard]] virtual Result<std::unique_ptr<OfferWatch>> watch_offers(ProposalFilter filter) = 0;

    /// Starts connecting to the cheapest match and returns at once; watch `connection`. Replaces a blocked connection.
    [[nodiscard]] virtual Task<Result<>> connect(ProposalFilter filter) = 0;
    /// Ends the session, pays what is owed, removes the tunnel; returns when that is done.
    [[nodiscard]] virtual Task<Result<ConnectionStatus>> disconnect() = 0;
    [[nodiscard]] virtual ConnectionStatus connection() = 0;

    /// Opens the exit, registers on chain if needed and publishes the proposal; returns when it is on offer.
    [[nodiscard]] virtual Task<Result<ProviderStatus>> provider_start() = 0;
    /// Withdraws the offer and ends all sessions; vouchers stay safe on disk.
    [[nodiscard]] virtual Task<Result<ProviderStatus>> provider_stop() = 0;
    [[nodiscard]] virtual Task<Result<ProviderStatus>> provider_status() = 0;
    /// Open and past sessions, newest first.
    [[nodiscard]] virtual Task<Result<std::vector<ProvidedSession>>> provider_sessions() = 0;
    /// All limits and the settlement policy, with the present exposure. failed_precondition without a wallet.
    [[nodiscard]] virtual Task<Result<ProviderLimits>> provider_limits() = 0;
    /// Brings every unsettled voucher on chain.
    [[nodiscard]] virtual Task<Result<SettleResult>> provider_settle() = 0;
    /// Announces that this node leaves the registry, or leaves it and takes the stake back once the window has passed.
    /// failed_precondition while the provider role is running.
    [[nodiscard]] virtual Task<Result<UnregisterResult>> provider_unregister() = 0;
    /// Ends the role as `provider_stop` does, and revokes this node's key for ever. unavailable if nobody took it.
    [[nodiscard]] virtual Task<Result<RevokeResult>> provider_revoke(std::string reason) = 0;
};

}  // namespace myst::node
