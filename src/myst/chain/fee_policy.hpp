// What transactions may cost: choosing fees, raising them, and the limits that hold transactions back. Pure.
#pragma once

#include <deque>
#include <optional>

#include "myst/base/clock.hpp"
#include "myst/base/error.hpp"
#include "myst/codec/transaction.hpp"

namespace myst::chain {

/// What the endpoint says of the market, in wei per gas.
struct MarketFees {
    Uint256 base;      ///< of the block to come
    Uint256 priority;  ///< what makes a transaction welcome
};

/// Fees of an EIP-1559 transaction, in wei per gas.
struct FeeQuote {
    Uint256 max_fee;
    Uint256 priority;
    bool operator==(const FeeQuote&) const = default;
};

/// All are limits against an endpoint that exaggerates as much as against an expensive chain.
struct FeeLimits {
    Uint256 max_fee_per_gas{200'000'000'000U};         ///< wei; no transaction offers more
    Uint256 max_priority_fee_per_gas{5'000'000'000U};  ///< wei; the endpoint's suggestion is limited to it
    Uint256 max_per_hour{500'000'000'000'000'000U};    ///< wei; all that is signed within an hour may cost at most this
    unsigned median_multiple = 20;                     ///< a base fee this many times the median waits …
    Uint256 median_floor{10'000'000'000U};             ///< … unless it is below this, in wei
};

/// Base fees of the last while, as this node has seen them itself.
class BaseFeeHistory {
public:
    static constexpr std::size_t kSamples = 61;    ///< an hour of one sample a minute
    static constexpr std::size_t kFewSamples = 5;  ///< with fewer there is no median

    void add(const Uint256& base_fee);
    [[nodiscard]] std::optional<Uint256> median() const;

private:
    std::deque<Uint256> samples_;
};

/// Twice the base fee plus the priority fee, so that six full blocks in a row do not outrun it, limited by
/// `max_fee_per_gas`. limit_exceeded if the plain base fee and the priority fee exceed that, or if the base fee is out
/// of proportion to the median.
[[nodiscard]] Result<FeeQuote> choose_fees(const MarketFees& market, const FeeLimits& limits,
                                           const std::optional<Uint256>& median);
/// Fees for a transaction in place of one with the fees `old`: both at least an eighth higher, as nodes demand, and at
/// least `wanted`. None if `wanted` is not above `old` in either, so that raising them would not help. limit_exceeded
/// if the maximum does not permit it.
[[nodiscard]] Result<std::optional<FeeQuote>> raise_fees(const FeeQuote& old, const FeeQuote& wanted,
                                                         const FeeLimits& limits);

/// The most that a transaction may cost for gas, in wei.
[[nodiscard]] Uint256 highest_cost(const codec::Transaction1559& transaction);
/// limit_exceeded if `more` wei on top of the `spent` ones of this hour exceed the hourly limit.
[[nodiscard]] Result<> check_hour(const Uint256& spent, const Uint256& more, const FeeLimits& limits);

}  // namespace myst::chain
