#include "myst/node/registration.hpp"

#include <algorithm>

#include "myst/chain/lanes_contract.hpp"

namespace myst::node {

Task<Result<>> Registration::ensure() {
    const auto payee = context_.keys.wallet()->address();
    const auto node_key = context_.keys.node().node_key();
    auto current = co_await wallet_.check_view();
    if (!current) co_return forward_error(current);
    auto known = co_await context_.chain.provider(payee);
    if (!known) co_return forward_error(known);
    registered_ = known->node_key == node_key && known->leave_at == UnixTime{};
    if (registered_) co_return Result<>();
    if (known->leave_at != UnixTime{}) {
        co_return fail(ErrorCode::failed_precondition, "this provider is leaving the registry",
                       "run \"myst provider unregister\" after " + utc_text(known->leave_at) + ", then start again");
    }
    auto terms = co_await context_.chain.terms();
    if (!terms) co_return forward_error(terms);
    auto missing = co_await approve_missing(std::max(stake_, terms->min_stake), known->stake);
    if (!missing) co_return forward_error(missing);
    auto data = chain::call::register_provider(node_key, *missing);
    std::string purpose = "register as provider";
    auto outcome = co_await wallet_.transact(ports::TxKind::register_provider, std::move(purpose), std::move(data));
    if (!outcome) co_return forward_error(outcome);
    registered_ = true;
    co_return Result<>();
}

/// Lets the contract take what is missing of the stake; returns that.
Task<Result<Amount>> Registration::approve_missing(Amount wanted, Amount staked) {
    const Amount missing = wanted.minus_saturating(staked);
    if (missing.is_zero()) co_return missing;
    auto data = chain::call::approve(context_.chain.identity().lanes, missing);
    std::string purpose = "approve the registration stake";
    auto approved = co_await wallet_.transact_with_token(ports::TxKind::approve, std::move(purpose), std::move(data));
    if (!approved) co_return forward_error(approved);
    // A registration of an earlier run may have been mined meanwhile.
    auto known = co_await context_.chain.provider(context_.keys.wallet()->address());
    if (!known) co_return forward_error(known);
    co_return wanted.minus_saturating(known->stake);
}

Task<Result<UnregisterResult>> Registration::leave() {
    auto wallet = wallet_.info();
    if (!wallet) co_return forward_error(wallet);
    auto current = co_await wallet_.check_view();
    if (!current) co_return forward_error(current);
    auto known = co_await context_.chain.provider(wallet->address);
    if (!known) co_return forward_error(known);
    if (known->node_key.is_zero()) {
        co_return fail(ErrorCode::failed_precondition, "this wallet is not registered as a provider");
    }
    if (known->leave_at == UnixTime{}) {
        auto terms = co_await context_.chain.terms();
        if (!terms) co_return forward_error(terms);
        auto data = chain::call::request_unregister();
        std::string purpose = "announce leaving the registry";
        auto outcome =
            co_await wallet_.transact(ports::TxKind::request_unregister, std::move(purpose), std::move(data));
        if (!outcome) co_return forward_error(outcome);
        registered_ = false;
        co_return UnregisterResult{outcome->hash, false, known->stake, outcome->block.time + terms->window};
    }
    auto head = co_await context_.chain.head();
    if (!head) co_return forward_error(head);
    if (std::max(head->time, context_.clock.unix_now()) < known->leave_at) {
        co_return fail(ErrorCode::failed_precondition, "leaving the registry is announced already",
                       "repeat the command after " + utc_text(known->leave_at));
    }
    auto data = chain::call::unregister();
    std::string purpose = "leave the registry";
    auto outcome = co_await wallet_.transact(ports::TxKind::unregister, std::move(purpose), std::move(data));
    if (!outcome) co_return forward_error(outcome);
    co_return UnregisterResult{outcome->hash, true, known->stake, UnixTime{}};
}

}  // namespace myst::node
