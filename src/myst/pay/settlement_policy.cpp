#include "myst/pay/settlement_policy.hpp"

#include <algorithm>

namespace myst::pay {
namespace {

constexpr std::uint64_t kMillion = 1'000'000;
constexpr std::uint64_t kMaxGas = std::uint64_t{1} << 32;  // keeps the product below 128 bits
constexpr unsigned kPercent = 100;

bool is_worth(const SettlementTerms& terms, Amount cost, Amount gain) {
    return cost.units() * kPercent <= gain.units() * terms.overhead_percent;
}

/// Why this one must not wait, if it has to be settled alone.
SettleReason urgency(const SettlementTerms& terms, const Claim& claim, UnixTime now) {
    if (claim.on_signature > terms.trigger) return SettleReason::trigger;
    if (claim.deadline && now + terms.margin >= *claim.deadline) return SettleReason::deadline;
    if (claim.deadline && !claim.in_session) return SettleReason::leaving;
    if (terms.max_age > seconds(0) && claim.since + terms.max_age <= now) return SettleReason::age;
    if (terms.at_session_end && !claim.in_session) return SettleReason::session_end;
    return SettleReason::none;
}

struct Batch {
    Amount gain;
    std::uint64_t gas = 0;  ///< without that of the transactions
    std::size_t plain = 0;
    std::size_t ticked = 0;
    bool urgent = false;
};

std::size_t transactions(std::size_t vouchers) {
    return (vouchers + kSettlementBatch - 1) / kSettlementBatch;
}

}  // namespace

std::string_view to_string(SettleReason reason) {
    switch (reason) {
        case SettleReason::none: return "none";
        case SettleReason::trigger: return "trigger";
        case SettleReason::leaving: return "leaving";
        case SettleReason::deadline: return "deadline";
        case SettleReason::age: return "age";
        case SettleReason::session_end: return "session_end";
        case SettleReason::overhead: return "overhead";
        case SettleReason::joined: return "joined";
    }
    return "none";
}

Amount gas_cost(const SettlementTerms& terms, std::uint64_t gas) {
    const auto product = terms.gas_price.units() * std::min(gas, kMaxGas);
    return Amount::from_wide(product / kMillion + (product % kMillion != 0 ? 1 : 0)).value_or(Amount::max());
}

std::uint64_t gas_of(Amount total, Amount cap, std::optional<std::uint16_t> ticks) {
    const auto more = ticks ? kTickVoucherGas + kTickGas * *ticks : 0;
    if (cap.is_zero()) return kFirstGas + more;
    return (total <= cap ? kReservedGas : kUnreservedGas) + more;
}

std::uint64_t base_gas(std::size_t plain, std::size_t ticked) {
    return (transactions(plain) + transactions(ticked)) * kTransactionGas;
}

std::vector<SettleReason> plan_settlement(const SettlementTerms& terms, const std::vector<Claim>& claims,
                                          UnixTime now) {
    std::vector<SettleReason> reasons(claims.size(), SettleReason::none);
    Batch batch;
    // Each that is taken pays for its own gas, so taking more never makes the transaction less worth while.
    for (std::size_t i = 0; i < claims.size(); ++i) {
        const auto& claim = claims[i];
        const auto own_cost = gas_cost(terms, claim.gas);
        if (claim.gain < terms.minimum || claim.gain <= own_cost) continue;
        const auto urgent = urgency(terms, claim, now);
        if (urgent == SettleReason::none && !is_worth(terms, own_cost, claim.gain)) continue;
        reasons[i] = urgent == SettleReason::none ? SettleReason::overhead : urgent;
        batch.urgent = batch.urgent || urgent != SettleReason::none;
        batch.gain = batch.gain.plus_saturating(claim.gain);
        batch.gas += claim.gas;
        ++(claim.ticked ? batch.ticked : batch.plain);
    }
    const auto cost = gas_cost(terms, batch.gas + base_gas(batch.plain, batch.ticked));
    const bool economical = terms.overhead_percent > 0 && is_worth(terms, cost, batch.gain);
    if (!economical && !(batch.urgent && cost < batch.gain)) {
        std::fill(reasons.begin(), reasons.end(), SettleReason::none);
    } else if (!economical) {
        std::replace(reasons.begin(), reasons.end(), SettleReason::overhead, SettleReason::joined);
    }
    return reasons;
}

std::optional<UnixTime> Deadlines::observe(const Address& payer, std::optional<UnixTime> announced,
                                           std::uint64_t head) {
    const auto known = seen_.find(payer);
    const bool earlier_stands = known != seen_.end() && (!announced || known->second.deadline < *announced) &&
                                head < known->second.block + finality_blocks_;
    if (earlier_stands) return known->second.deadline;
    if (announced) {
        seen_[payer] = {*announced, head};
    } else if (known != seen_.end()) {
        seen_.erase(known);
    }
    return announced;
}

}  // namespace myst::pay
