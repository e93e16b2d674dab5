#include "myst/pay/payee.hpp"

#include "myst/base/check.hpp"

namespace myst::pay {

tl::expected<Verdict, RefuseCode> PayeeSession::examine(const codec::SignedVoucher& voucher, const Address& recovered,
                                                        const Coverage& coverage) const {
    auto verdict = examine_terms(voucher.voucher, recovered, coverage);
    // It takes the place of the ticks, which cost more to settle.
    if (verdict == Verdict::repeat && ticks_ && voucher.voucher.total == total_) return Verdict::store;
    return verdict;
}

tl::expected<Verdict, RefuseCode> PayeeSession::examine(const codec::SignedTickVoucher& voucher,
                                                        const Address& recovered, const Coverage& coverage) const {
    if (!is_payable(voucher.tick_voucher)) return tl::unexpected(RefuseCode::wrong_terms);
    return examine_terms(voucher.tick_voucher.voucher, recovered, coverage);
}

tl::expected<Verdict, RefuseCode> PayeeSession::examine(const Tick& tick, const Coverage& coverage) {
    if (too_many_wrong_ticks()) return tl::unexpected(RefuseCode::wrong_tick);
    if (coverage.epoch != epoch_) return tl::unexpected(RefuseCode::wrong_epoch);
    if (!ticks_ || !ticks_->payee.take(tick)) {
        ++wrong_ticks_;
        return tl::unexpected(RefuseCode::wrong_tick);
    }
    return examine_total(ticks_->payee.owed(), coverage);
}

tl::expected<Verdict, RefuseCode> PayeeSession::examine_terms(const codec::Voucher& voucher, const Address& recovered,
                                                              const Coverage& coverage) const {
    const auto& [provider, epoch, total, cap] = voucher;
    if (recovered != signer_) return tl::unexpected(RefuseCode::wrong_signer);
    if (provider != provider_ || cap < total) return tl::unexpected(RefuseCode::wrong_terms);
    if (epoch != epoch_ || coverage.epoch != epoch_) return tl::unexpected(RefuseCode::wrong_epoch);
    return examine_total(total, coverage);
}

tl::expected<Verdict, RefuseCode> PayeeSession::examine_total(Amount total, const Coverage& coverage) const {
    if (!is_covered(coverage)) return tl::unexpected(RefuseCode::not_covered);
    if (total <= total_) return Verdict::repeat;
    if (total > coverage.cap.plus_saturating(coverage.free)) return tl::unexpected(RefuseCode::not_covered);
    if (total.minus_saturating(coverage.cap) > terms_.risk_limit) return tl::unexpected(RefuseCode::risk_limit);
    return Verdict::store;
}

void PayeeSession::credit(Amount total) {
    CHECK(total >= total_);
    total_ = total;
}

void PayeeSession::begin_ticks(const codec::LaneDomain& domain, const codec::SignedTickVoucher& voucher) {
    ticks_ = Chain{voucher, TickPayee::begin(domain, voucher.tick_voucher).value()};
}

Amount PayeeSession::credit_left() const {
    return cost_of(terms_.tariff, terms_.credit_bytes, terms_.time_credit).minus_saturating(terms_.debt);
}

std::uint64_t PayeeSession::allowance(milliseconds connected) const {
    const auto& tariff = terms_.tariff;
    const auto funds = paid().plus_saturating(credit_left());
    // Where only time costs, "just used up" must close the gate: data is unlimited as long as it is open.
    if (!tariff.per_hour.is_zero() && funds <= cost_of(tariff, 0, connected)) return 0;
    return bytes_covered(tariff, funds, connected);
}

}  // namespace myst::pay
