#include "myst/chain/fee_policy.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace myst::chain {
namespace {

/// Prices beyond this are no prices, and sums with them could leave the range of the arithmetic.
bool is_sane(const Uint256& wei) {
    return (wei >> 128) == 0;
}

/// At least an eighth more, and more in any case.
Uint256 eighth_more(const Uint256& fee) {
    return fee + fee / 8 + 1;
}

}  // namespace

void BaseFeeHistory::add(const Uint256& base_fee) {
    samples_.push_back(base_fee);
    if (samples_.size() > kSamples) samples_.pop_front();
}

std::optional<Uint256> BaseFeeHistory::median() const {
    if (samples_.size() < kFewSamples) return std::nullopt;
    std::vector<Uint256> sorted(samples_.begin(), samples_.end());
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return *middle;
}

Result<FeeQuote> choose_fees(const MarketFees& market, const FeeLimits& limits, const std::optional<Uint256>& median) {
    const auto& cap = limits.max_fee_per_gas;
    const Uint256 priority = std::min({market.priority, limits.max_priority_fee_per_gas, cap});
    if (!is_sane(market.base) || market.base + priority > cap) {
        return fail(ErrorCode::limit_exceeded,
                    fmt::format("the base fee is {} wei per gas, above the limit of {}", market.base.str(), cap.str()),
                    "wait until fees fall, or raise chain.max_fee_gwei");
    }
    if (median && market.base > limits.median_floor && market.base / limits.median_multiple > *median) {
        return fail(ErrorCode::limit_exceeded,
                    fmt::format("the base fee is {} wei per gas, more than {} times the last hour's median of {}",
                                market.base.str(), limits.median_multiple, median->str()),
                    "compare with another endpoint; if fees stay high, they are accepted within the hour");
    }
    return FeeQuote{std::min<Uint256>(market.base * 2 + priority, cap), priority};
}

Result<std::optional<FeeQuote>> raise_fees(const FeeQuote& old, const FeeQuote& wanted, const FeeLimits& limits) {
    if (wanted.max_fee <= old.max_fee && wanted.priority <= old.priority) return std::nullopt;
    const Uint256 priority = std::max(eighth_more(old.priority), wanted.priority);
    const Uint256 max_fee = std::max({eighth_more(old.max_fee), wanted.max_fee, priority});
    if (max_fee > limits.max_fee_per_gas) {
        return fail(ErrorCode::limit_exceeded,
                    fmt::format("replacing a transaction needs {} wei per gas, above the limit of {}", max_fee.str(),
                                limits.max_fee_per_gas.str()),
                    "wait until fees fall, or raise chain.max_fee_gwei");
    }
    return FeeQuote{max_fee, priority};
}

Uint256 highest_cost(const codec::Transaction1559& transaction) {
    return transaction.max_fee_per_gas * transaction.gas_limit;
}

Result<> check_hour(const Uint256& spent, const Uint256& more, const FeeLimits& limits) {
    if (spent + more <= limits.max_per_hour) return {};
    return fail(ErrorCode::limit_exceeded,
                fmt::format("fees of this hour may reach {} wei already, {} more would exceed the limit of {}",
                            spent.str(), more.str(), limits.max_per_hour.str()),
                "wait, or raise chain.max_fees_per_hour");
}

}  // namespace myst::chain
