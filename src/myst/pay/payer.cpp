#include "myst/pay/payer.hpp"

#include <algorithm>

#include "myst/base/check.hpp"

namespace myst::pay {
namespace {

/// The next chunk is paid when an eighth of the last one is left, so that the gate does not close in between.
constexpr std::uint64_t kEarly = 8;

}  // namespace

Result<std::optional<Amount>> PayerSession::due(std::uint64_t used, milliseconds connected) const {
    const auto soon =
        cost_of(terms_.tariff, used + terms_.chunk_bytes / kEarly, connected + terms_.time_slice / kEarly);
    if (soon < paid()) return std::nullopt;
    const auto chunk_end = cost_of(terms_.tariff, used + terms_.chunk_bytes, connected + terms_.time_slice);
    if (paid().is_zero() && chunk_end > spendable_) {
        return fail(
            ErrorCode::insufficient_funds,
            "the first step costs " + format_tokens(chunk_end) + ", the deposit left is " + format_tokens(spendable_),
            "run: myst wallet deposit AMOUNT");
    }
    const Amount target = std::min(chunk_end, spendable_);
    if (target > paid()) {
        const auto total = base_.plus(target);
        if (!total) return fail(ErrorCode::limit_exceeded, "the lane's total would exceed 96 bits");
        return *total;
    }
    if (cost_of(terms_.tariff, used, connected) >= spendable_ && !chunk_end.is_zero()) {
        return fail(ErrorCode::insufficient_funds, "the deposit is used up", "deposit more and connect again");
    }
    return std::nullopt;
}

std::optional<Amount> PayerSession::owed(std::uint64_t used, milliseconds connected) const {
    const Amount target = std::min(cost_of(terms_.tariff, used, connected), spendable_);
    if (target <= paid()) return std::nullopt;
    return base_.plus(target);
}

Amount PayerSession::cap_for(Amount total) const {
    const auto reachable = base_.plus_saturating(spendable_);
    return std::max(total, std::min(total.plus_saturating(terms_.reserve_ahead), reachable));
}

std::uint64_t PayerSession::tolerance(std::uint64_t own) const {
    return std::max(terms_.tolerance_bytes, own / 100 * terms_.tolerance_percent);
}

std::uint64_t PayerSession::billable(std::uint64_t own, std::uint64_t peer) const {
    return peer > own ? own + std::min(peer - own, tolerance(own)) : own;
}

void PayerSession::issued(Amount total) {
    CHECK(total >= issued_);
    issued_ = total;
}

void PayerSession::adopt(Amount total) {
    if (total <= issued_) return;
    const Amount ahead = total.minus_saturating(issued_);
    base_ = base_.plus_saturating(ahead);
    issued_ = total;
    acknowledged_ = std::max(acknowledged_, base_);
    spendable_ = spendable_.minus_saturating(ahead);
}

Result<> PayerSession::acknowledged(Amount total) {
    if (total > issued_) return fail(ErrorCode::invalid_data, "the provider acknowledges more than was signed");
    acknowledged_ = std::max(acknowledged_, total);
    return {};
}

Result<> PayerSession::check_meter(std::uint64_t own, std::uint64_t peer) const {
    const std::uint64_t bearable = tolerance(own) + terms_.in_flight_bytes;
    if (peer > own && peer - own > bearable) {
        return fail(ErrorCode::failed_precondition,
                    "the provider charges for " + std::to_string(peer) + " bytes, " + std::to_string(own) +
                        " were carried (tolerance " + std::to_string(bearable) + ")",
                    "connect to another provider");
    }
    return {};
}

}  // namespace myst::pay
