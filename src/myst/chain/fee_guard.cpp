#include "myst/chain/fee_guard.hpp"

#include <fmt/format.h>

#include "myst/crypto/address.hpp"

namespace myst::chain {
namespace {

constexpr seconds kHour{3600};

}  // namespace

Task<Result<FeeQuote>> FeeGuard::quote() {
    auto market = co_await rpc_.fees();
    if (!market) co_return forward_error(market);
    co_return choose_fees(*market, settings_.limits, base_fees_.median());
}

Task<Result<>> FeeGuard::check_funds(std::string name, Uint256 cost) {
    auto balance = co_await rpc_.balance();
    if (!balance) co_return forward_error(balance);
    if (*balance >= cost) co_return Result<>{};
    co_return fail(ErrorCode::insufficient_funds,
                   fmt::format("{} needs up to {} wei for gas, the wallet has {}", name, cost.str(), balance->str()),
                   "send ether to " + crypto::to_checksum(wallet_));
}

Task<Result<>> FeeGuard::check_hour_of(std::int64_t id, Uint256 cost) {
    auto read = [from = clock_.unix_now() - kHour, id](OutboxStore& store) { return store.signed_since(from, id); };
    auto others = co_await file_.on_store(std::move(read));
    if (!others) co_return forward_error(others);
    Uint256 spent = 0;
    for (const auto& raw : *others) {
        auto transaction = codec::decode_1559(raw);
        if (!transaction) co_return forward_error(transaction);
        spent += highest_cost(*transaction);
    }
    co_return check_hour(spent, cost, settings_.limits);
}

Task<> FeeGuard::sample() {
    const auto now = clock_.now();
    if (sampled_ && now - *sampled_ < settings_.sample) co_return;
    sampled_ = now;
    auto market = co_await rpc_.fees();
    if (market) base_fees_.add(market->base);
}

}  // namespace myst::chain
