#include "myst/node/reservations.hpp"

#include <algorithm>
#include <set>

#include "myst/chain/lanes_contract.hpp"
#include "myst/crypto/address.hpp"

namespace myst::node {

Task<Result<Amount>> Reservations::promised(Address provider, ports::LaneState lane) {
    auto issued = co_await context_.ledger.highest_issued(context_.keys.signer()->address(), provider, lane.epoch);
    if (!issued) co_return forward_error(issued);
    if (!*issued) co_return Amount{};
    co_return (*issued)->total().minus_saturating(lane.paid);
}

Task<Result<std::vector<Reservation>>> Reservations::list() {
    if (auto known = wallet_.info(); !known) co_return forward_error(known);
    const auto signer = context_.keys.signer()->address();
    auto issued = co_await context_.ledger.issued_vouchers(signer);
    if (!issued) co_return forward_error(issued);
    std::set<Address> providers;
    for (const auto& held : *issued) providers.insert(held.voucher.voucher.provider);
    std::vector<Reservation> reservations;
    for (const auto& provider : providers) {
        auto lane = co_await context_.chain.lane(signer, provider);
        if (!lane) co_return forward_error(lane);
        auto open = co_await promised(provider, *lane);
        if (!open) co_return forward_error(open);
        const Reservation entry{provider, *open, lane->cap.minus_saturating(lane->paid), lane->release_at};
        const bool is_idle = entry.promised.is_zero() && entry.reserved.is_zero() && entry.available_at == UnixTime{};
        if (!is_idle) reservations.push_back(entry);
    }
    std::stable_sort(reservations.begin(), reservations.end(),
                     [](const auto& a, const auto& b) { return a.reserved > b.reserved; });
    co_return reservations;
}

Task<Result<ReleaseResult>> Reservations::release(Address provider) {
    if (auto known = wallet_.info(); !known) co_return forward_error(known);
    auto current = co_await wallet_.check_view();
    if (!current) co_return forward_error(current);
    auto lane = co_await context_.chain.lane(context_.keys.signer()->address(), provider);
    if (!lane) co_return forward_error(lane);
    const auto reserved = lane->cap.minus_saturating(lane->paid);
    if (lane->release_at == UnixTime{}) {
        auto open = co_await promised(provider, *lane);
        if (!open) co_return forward_error(open);
        if (reserved.is_zero() && open->is_zero()) {
            co_return fail(ErrorCode::failed_precondition,
                           "nothing is set aside for " + crypto::to_checksum(provider) + ", and it can draw nothing",
                           "see: myst wallet reservations");
        }
        co_return co_await announce(provider, reserved);
    }
    auto head = co_await context_.chain.head();
    if (!head) co_return forward_error(head);
    if (std::max(head->time, context_.clock.unix_now()) < lane->release_at) {
        co_return fail(ErrorCode::failed_precondition,
                       "the release of " + format_tokens(reserved) + " tokens is announced already",
                       "repeat the command after " + utc_text(lane->release_at));
    }
    co_return co_await take_back(provider, reserved);
}

Task<Result<ReleaseResult>> Reservations::announce(Address provider, Amount reserved) {
    auto terms = co_await context_.chain.terms();
    if (!terms) co_return forward_error(terms);
    auto data = chain::call::request_release(context_.keys.signer()->address(), provider);
    std::string purpose = "announce the release of the lane to " + crypto::to_checksum(provider);
    auto outcome = co_await wallet_.transact(ports::TxKind::request_release, std::move(purpose), std::move(data));
    if (!outcome) co_return forward_error(outcome);
    co_return ReleaseResult{outcome->hash, false, reserved, outcome->block.time + terms->window};
}

Task<Result<ReleaseResult>> Reservations::take_back(Address provider, Amount reserved) {
    auto data = chain::call::release(context_.keys.signer()->address(), provider);
    std::string purpose = "release the lane to " + crypto::to_checksum(provider);
    auto outcome = co_await wallet_.transact(ports::TxKind::release, std::move(purpose), std::move(data));
    if (!outcome) co_return forward_error(outcome);
    co_return ReleaseResult{outcome->hash, true, reserved, UnixTime{}};
}

}  // namespace myst::node
