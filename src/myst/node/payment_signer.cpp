#include "myst/node/payment_signer.hpp"

#include <algorithm>
#include <limits>

namespace myst::node {
namespace {

constexpr seconds kLongestChain{60};

}  // namespace

/// Runs one signature and remembers the shortest time.
template <class Sign>
auto PaymentSigner::timed(Sign sign) {
    const auto start = clock_.now();
    auto result = sign();
    const auto taken = std::chrono::duration_cast<std::chrono::nanoseconds>(clock_.now() - start);
    if (signing_time_ == signing_time_.zero() || taken < signing_time_) signing_time_ = taken;
    return result;
}

Payment PaymentSigner::by_voucher(Amount total, Amount cap) {
    chain_.reset();
    route_.cap = std::max({route_.cap, cap, total});
    const codec::Voucher terms{route_.payee, route_.epoch, total, route_.cap};
    const auto voucher = timed([&] { return codec::sign_voucher(route_.domain, terms, route_.signer); });
    return {{route_.signer.address(), voucher, route_.session}, pay::VoucherFrame::of(voucher)};
}

Payment PaymentSigner::by_tick(Amount total, Amount step, Amount limit) {
    auto paid = chain_ ? next_tick(total) : begin_chain(total, step, limit);
    return paid ? std::move(*paid) : by_voucher(total, total);
}

bool PaymentSigner::must_convert() const {
    return chain_ && clock_.now() - chain_->begun >= kLongestChain;
}

std::optional<Payment> PaymentSigner::next_tick(Amount total) {
    if (must_convert()) return std::nullopt;
    const auto tick = chain_->payer.pay_up_to(total);
    if (!tick) return std::nullopt;
    return payment(*tick, pay::TickFrame{*tick});
}

std::optional<Payment> PaymentSigner::begin_chain(Amount total, Amount step, Amount limit) {
    const auto value = std::max<Uint128>(step.units() / 2, 1);
    if (value > std::numeric_limits<std::uint64_t>::max()) return std::nullopt;
    const auto count = std::min<Uint128>(limit.minus_saturating(total).units() / value, codec::kMaxTicks);
    const auto cap = total.plus(Amount::from_wide(value * count).value_or(Amount{}));
    if (count == 0 || !cap) return std::nullopt;
    route_.cap = std::max(route_.cap, *cap);
    auto payer = pay::TickPayer::begin(route_.domain, {route_.payee, route_.epoch, total, route_.cap},
                                       static_cast<std::uint64_t>(value), static_cast<std::uint16_t>(count),
                                       random_bytes<Hash32>(rng_));
    if (!payer) return std::nullopt;
    const auto voucher =
        timed([&] { return codec::sign_tick_voucher(route_.domain, payer->voucher(), route_.signer); });
    chain_ = Chain{std::move(*payer), voucher, clock_.now()};
    return payment({0, voucher.tick_voucher.anchor}, pay::TickVoucherFrame::of(voucher));
}

Payment PaymentSigner::payment(const pay::Tick& newest, pay::Frame frame) const {
    return {ports::HeldVoucher::of(route_.signer.address(), chain_->voucher, newest, route_.session), std::move(frame)};
}

}  // namespace myst::node
