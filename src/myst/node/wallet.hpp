// The user's money on chain: balances, deposits with a permit, and the two-step withdrawal.
#pragma once

#include <set>

#include "myst/node/context.hpp"

namespace myst::node {

/// Control thread.
class Wallet {
public:
    explicit Wallet(Context& context) : context_(context) {}

    /// failed_precondition while another call is at it; already_exists if there is a wallet.
    [[nodiscard]] Task<Result<WalletInfo>> create();
    /// failed_precondition if there is no wallet yet.
    [[nodiscard]] Result<WalletInfo> info() const;
    [[nodiscard]] Task<Result<WalletBalance>> balance();
    [[nodiscard]] Task<Result<DepositResult>> deposit(Amount amount);
    [[nodiscard]] Task<Result<WithdrawResult>> withdraw(std::optional<Amount> amount);

    /// Takes up the transactions that an earlier run of the program left unfinished; nothing without a wallet.
    [[nodiscard]] Result<> resume();
    /// unavailable while this node's view of the chain lacks the newest block with a transaction of its own: what it
    /// reads would lead it to do the same thing again.
    [[nodiscard]] Task<Result<>> check_view();

    /// Sends one transaction and waits until it is mined and, for a while, until this node's view of the chain includes
    /// it. A reverted transaction is an error that names `purpose`. `kind` begins the intent's key; the rest of it is
    /// random. There is one open transaction of a kind at a time: one that an earlier run left is finished first, and
    /// is the outcome if it does the same; if it does something else, or another is being sent, failed_precondition.
    [[nodiscard]] Task<Result<ports::TxOutcome>> transact(ports::TxKind kind, std::string purpose, Bytes data);
    /// The same, to the token instead of the lanes contract.
    [[nodiscard]] Task<Result<ports::TxOutcome>> transact_with_token(ports::TxKind kind, std::string purpose,
                                                                     Bytes data);

    /// The transaction of this kind that is neither mined nor refused yet; none if there is none.
    [[nodiscard]] Task<Result<std::optional<ports::TxIntent>>> open_intent(ports::TxKind kind);

private:
    [[nodiscard]] Task<Result<ports::TxOutcome>> submit(ports::TxKind kind, ports::TxIntent intent);
    [[nodiscard]] Task<Result<ports::TxOutcome>> execute(ports::TxIntent intent);
    [[nodiscard]] Result<ports::TxSender*> sender();
    /// Gives the wallet the right to withdraw what its payment signer has deposited; once.
    [[nodiscard]] Task<Result<>> claim_ownership();
    [[nodiscard]] Task<Result<Bytes>> deposit_call(Amount amount);
    [[nodiscard]] Task<Result<WithdrawResult>> announce(Amount amount, ports::AccountState before);
    [[nodiscard]] Task<Result<WithdrawResult>> pay_out(Amount amount);

    Context& context_;
    bool creating_ = false;
    std::unique_ptr<ports::TxSender> sender_;
    std::set<ports::TxKind> under_way_;  ///< kinds of transactions that this process is sending
    std::uint64_t mined_in_ = 0;         ///< newest block with a transaction of ours
};

}  // namespace myst::node
