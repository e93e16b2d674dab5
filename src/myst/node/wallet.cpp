#include "myst/node/wallet.hpp"

#include "myst/base/busy.hpp"
#include "myst/base/log.hpp"
#include "myst/chain/lanes_contract.hpp"
#include "myst/crypto/address.hpp"
#include "myst/runtime/timeout.hpp"

namespace myst::node {
namespace {

constexpr seconds kPermitLifetime{3600};
constexpr milliseconds kHeadPoll{50};
constexpr milliseconds kHeadLimit{60'000};

Task<Result<>> wait_for_block(ports::ChainReader& chain, std::uint64_t number) {
    for (;;) {
        auto head = co_await chain.head();
        if (head && head->number >= number) co_return Result<>();
        co_await sleep_for(kHeadPoll);
    }
}

/// Marks a kind of transaction as being sent for as long as it lives.
class UnderWay {
public:
    UnderWay(std::set<ports::TxKind>& kinds, ports::TxKind kind) : kinds_(kinds), kind_(kind) { kinds_.insert(kind_); }
    ~UnderWay() { kinds_.erase(kind_); }
    UnderWay(const UnderWay&) = delete;
    UnderWay& operator=(const UnderWay&) = delete;

private:
    std::set<ports::TxKind>& kinds_;
    ports::TxKind kind_;
};

std::string new_key(ports::TxKind kind, Rng& rng) {
    return std::string(to_string(kind)) + ":" + random_bytes<SessionId>(rng).hex();
}

}  // namespace

Task<Result<WalletInfo>> Wallet::create() {
    if (creating_) co_return fail(ErrorCode::failed_precondition, "a wallet is being made", "see: myst wallet address");
    const Busy creating(creating_);
    auto work = [this]() -> Result<std::unique_ptr<KeyRing::WalletKeys>> {
        auto made = context_.keys.make_wallet(context_.rng);
        if (!made) return forward_error(made);
        return std::make_unique<KeyRing::WalletKeys>(std::move(*made));
    };
    auto keys = co_await context_.workers.run(std::move(work));
    if (!keys) co_return forward_error(keys);
    co_return context_.keys.adopt(std::move(**keys));
}

Result<WalletInfo> Wallet::info() const {
    auto info = context_.keys.info();
    if (!info) return fail(ErrorCode::failed_precondition, "this node has no wallet yet", "run: myst wallet create");
    return *info;
}

Task<Result<WalletBalance>> Wallet::balance() {
    auto known = info();
    if (!known) co_return forward_error(known);
    auto ether = co_await context_.chain.ether_balance(known->address);
    if (!ether) co_return forward_error(ether);
    auto tokens = co_await context_.chain.token_balance(known->address);
    if (!tokens) co_return forward_error(tokens);
    auto deposit = co_await context_.chain.account(known->signer);
    if (!deposit) co_return forward_error(deposit);
    co_return WalletBalance{*known, *ether, *tokens, *deposit};
}

Task<Result<DepositResult>> Wallet::deposit(Amount amount) {
    auto known = info();
    if (!known) co_return forward_error(known);
    if (amount.is_zero()) co_return fail(ErrorCode::invalid_argument, "deposit: the amount is zero");
    auto tokens = co_await context_.chain.token_balance(known->address);
    if (!tokens) co_return forward_error(tokens);
    if (*tokens < amount) {
        co_return fail(
            ErrorCode::insufficient_funds,
            "the wallet holds " + format_tokens(*tokens) + " tokens, " + format_tokens(amount) + " are to be deposited",
            "send tokens to " + crypto::to_checksum(known->address));
    }
    auto before = co_await context_.chain.account(known->signer);
    if (!before) co_return forward_error(before);
    auto claimed = co_await claim_ownership();
    if (!claimed) co_return forward_error(claimed);
    auto call = co_await deposit_call(amount);
    if (!call) co_return forward_error(call);
    auto purpose = "deposit " + format_tokens(amount) + " tokens";
    auto outcome = co_await transact(ports::TxKind::deposit, std::move(purpose), std::move(*call));
    if (!outcome) co_return forward_error(outcome);
    // The money is there: nothing that fails from here on may look like a failed deposit.
    co_return DepositResult{outcome->hash, amount, before->free.plus_saturating(amount)};
}

Task<Result<>> Wallet::claim_ownership() {
    const auto& wallet = *context_.keys.wallet();
    const auto& signer = *context_.keys.signer();
    auto owner = co_await context_.chain.owner_of(signer.address());
    if (!owner) co_return forward_error(owner);
    if (*owner == wallet.address()) co_return Result<>();
    const auto domain = lane_domain(context_.chain.identity());
    const auto signature = signer.sign(domain.set_owner_digest(wallet.address()));
    auto data = chain::call::set_owner(signer.address(), wallet.address(), signature);
    std::string purpose = "bind the payment account to the wallet";
    auto outcome = co_await transact(ports::TxKind::set_owner, std::move(purpose), std::move(data));
    if (!outcome) co_return forward_error(outcome);
    co_return Result<>();
}

Task<Result<Bytes>> Wallet::deposit_call(Amount amount) {
    const auto& wallet = *context_.keys.wallet();
    auto nonce = co_await context_.chain.permit_nonce(wallet.address());
    if (!nonce) co_return forward_error(nonce);
    auto domain = co_await context_.chain.permit_domain();
    if (!domain) co_return forward_error(domain);
    auto head = co_await context_.chain.head();
    if (!head) co_return forward_error(head);
    const auto latest = std::max(head->time, context_.clock.unix_now());
    const codec::Permit permit{wallet.address(), context_.chain.identity().lanes, Uint256(amount.to_string()), *nonce,
                               Uint256(to_unix_seconds(latest + kPermitLifetime))};
    const auto signature = wallet.sign(codec::permit_digest(*domain, permit));
    co_return chain::call::deposit_with_permit(context_.keys.signer()->address(), amount,
                                               chain::SignedPermit{permit.deadline, signature});
}

Task<Result<WithdrawResult>> Wallet::withdraw(std::optional<Amount> amount) {
    auto known = info();
    if (!known) co_return forward_error(known);
    auto current = co_await check_view();
    if (!current) co_return forward_error(current);
    auto account = co_await context_.chain.account(known->signer);
    if (!account) co_return forward_error(account);
    if (account->exiting.is_zero() || amount) {
        const Amount wanted = amount.value_or(account->free);
        if (wanted.is_zero() || wanted > account->free) {
            co_return fail(ErrorCode::insufficient_funds, format_tokens(account->free) + " tokens are free to withdraw",
                           "what providers have reserved is freed by a release");
        }
        co_return co_await announce(wanted, *account);
    }
    auto head = co_await context_.chain.head();
    if (!head) co_return forward_error(head);
    const auto now = std::max(head->time, context_.clock.unix_now());
    if (now < account->exit_at) {
        co_return fail(ErrorCode::failed_precondition,
                       "a withdrawal of " + format_tokens(account->exiting) + " tokens is announced already",
                       "repeat the command after " + utc_text(account->exit_at));
    }
    co_return co_await pay_out(account->exiting);
}

Task<Result<WithdrawResult>> Wallet::announce(Amount amount, ports::AccountState before) {
    auto terms = co_await context_.chain.terms();
    if (!terms) co_return forward_error(terms);
    auto data = chain::call::request_exit(context_.keys.signer()->address(), amount);
    std::string purpose = "announce a withdrawal";
    auto outcome = co_await transact(ports::TxKind::exit, std::move(purpose), std::move(data));
    if (!outcome) co_return forward_error(outcome);
    // Announcing again adds to what is exiting and starts the time again for all of it.
    co_return WithdrawResult{outcome->hash, false, before.exiting.plus_saturating(amount),
                             outcome->block.time + terms->window};
}

Task<Result<WithdrawResult>> Wallet::pay_out(Amount amount) {
    const auto signer = context_.keys.signer()->address();
    auto data = chain::call::withdraw(signer, context_.keys.wallet()->address());
    std::string purpose = "withdraw the deposit";
    auto outcome = co_await transact(ports::TxKind::withdraw, std::move(purpose), std::move(data));
    if (!outcome) co_return forward_error(outcome);
    co_return WithdrawResult{outcome->hash, true, amount, UnixTime{}};
}

Task<Result<ports::TxOutcome>> Wallet::transact(ports::TxKind kind, std::string purpose, Bytes data) {
    ports::TxIntent intent{new_key(kind, context_.rng), std::move(purpose), context_.chain.identity().lanes,
                           std::move(data)};
    return submit(kind, std::move(intent));
}

Task<Result<ports::TxOutcome>> Wallet::transact_with_token(ports::TxKind kind, std::string purpose, Bytes data) {
    ports::TxIntent intent{new_key(kind, context_.rng), std::move(purpose), context_.chain.identity().token,
                           std::move(data)};
    return submit(kind, std::move(intent));
}

Task<Result<ports::TxOutcome>> Wallet::submit(ports::TxKind kind, ports::TxIntent intent) {
    auto outbox = sender();
    if (!outbox) co_return forward_error(outbox);
    if (under_way_.contains(kind)) {
        co_return fail(ErrorCode::failed_precondition, intent.purpose + ": one is being sent already",
                       "wait until it is mined");
    }
    const UnderWay mark(under_way_, kind);
    auto open = co_await (*outbox)->open_intent(kind);
    if (!open) co_return forward_error(open, intent.purpose);
    if (!*open) co_return co_await execute(std::move(intent));
    const bool same = (*open)->to == intent.to && (*open)->data == intent.data;
    const auto purpose = (*open)->purpose;
    log::info("an earlier transaction is still open: {}", purpose);
    auto finished = co_await execute(std::move(**open));
    if (same || !finished) co_return finished;
    co_return fail(ErrorCode::failed_precondition,
                   intent.purpose + ": not sent, because \"" + purpose + "\" was still open; that is mined now",
                   "repeat the command if it is still wanted");
}

Task<Result<std::optional<ports::TxIntent>>> Wallet::open_intent(ports::TxKind kind) {
    auto outbox = sender();
    if (!outbox) co_return forward_error(outbox);
    co_return co_await (*outbox)->open_intent(kind);
}

Task<Result<ports::TxOutcome>> Wallet::execute(ports::TxIntent intent) {
    const auto purpose = intent.purpose;
    log::info("sending a transaction: {}", purpose);
    auto outbox = sender();
    if (!outbox) co_return forward_error(outbox);
    auto outcome = co_await (*outbox)->submit(std::move(intent));
    if (!outcome) co_return forward_error(outcome, purpose);
    mined_in_ = std::max(mined_in_, outcome->block.number);
    if (!outcome->succeeded) {
        co_return fail(ErrorCode::failed_precondition,
                       purpose + ": transaction " + outcome->hash.hex0x() + " reverted");
    }
    auto late = purpose + ": mined, but this node's view of the chain does not advance";
    auto seen = co_await with_timeout(wait_for_block(context_.chain, mined_in_), kHeadLimit, std::move(late));
    if (!seen) log::warn("{}", seen.error().message);
    co_return outcome;
}

Task<Result<>> Wallet::check_view() {
    auto head = co_await context_.chain.head();
    if (!head) co_return forward_error(head);
    if (head->number < mined_in_) {
        co_return fail(ErrorCode::unavailable,
                       "this node's view of the chain is at block " + std::to_string(head->number) +
                           ", its own transaction is in block " + std::to_string(mined_in_),
                       "wait until it has caught up");
    }
    co_return Result<>();
}

Result<> Wallet::resume() {
    if (!info()) return {};
    auto opened = sender();
    if (!opened) return forward_error(opened, "transactions");
    return {};
}

Result<ports::TxSender*> Wallet::sender() {
    if (!sender_) {
        if (auto known = info(); !known) return forward_error(known);
        auto opened = context_.open_sender(*context_.keys.wallet());
        if (!opened) return forward_error(opened);
        sender_ = std::move(*opened);
    }
    return sender_.get();
}

}  // namespace myst::node
