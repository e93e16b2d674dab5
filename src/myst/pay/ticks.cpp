#include "myst/pay/ticks.hpp"

namespace myst::pay {

bool is_payable(const codec::TickVoucher& voucher) {
    return voucher.max_ticks > 0 && voucher.max_ticks <= codec::kMaxTicks &&
           voucher.voucher.epoch <= codec::kMaxEpoch && codec::owed_after(voucher, voucher.max_ticks).has_value();
}

Result<TickPayer> TickPayer::begin(const codec::LaneDomain& domain, const codec::Voucher& voucher,
                                   std::uint64_t tick_value, std::uint16_t max_ticks, const Hash32& last_word) {
    codec::TickVoucher ticks{voucher, Hash32{}, tick_value, max_ticks};
    if (!is_payable(ticks)) return fail(ErrorCode::invalid_argument, "no such number or value of ticks fits the cap");
    const auto chain = codec::tick_chain(domain, voucher, tick_value);
    std::vector<Hash32> words(max_ticks);
    auto word = last_word;
    for (auto index = max_ticks; index > 0; --index) {
        words[index - 1U] = word;
        word = codec::previous_word(word, chain, index);
    }
    ticks.anchor = word;
    return TickPayer(ticks, std::move(words));
}

std::optional<Tick> TickPayer::next() {
    if (spent_ == voucher_.max_ticks) return std::nullopt;
    ++spent_;
    return Tick{spent_, words_[spent_ - 1U]};
}

std::optional<Tick> TickPayer::pay_up_to(Amount total) {
    const auto open = total.minus_saturating(converted().total);
    if (voucher_.tick_value == 0 || open.units() < voucher_.tick_value) return std::nullopt;
    const auto count = open.units() / voucher_.tick_value;
    if (count > static_cast<unsigned>(voucher_.max_ticks - spent_)) return std::nullopt;
    spent_ = static_cast<std::uint16_t>(spent_ + count);
    return Tick{spent_, words_[spent_ - 1U]};
}

codec::Voucher TickPayer::converted() const {
    auto plain = voucher_.voucher;
    plain.total = codec::owed_after(voucher_, spent_).value();
    return plain;
}

Result<TickPayee> TickPayee::begin(const codec::LaneDomain& domain, const codec::TickVoucher& voucher) {
    if (!is_payable(voucher)) return fail(ErrorCode::invalid_data, "the ticks of the voucher exceed its cap or 64");
    return TickPayee(voucher, codec::tick_chain(domain, voucher.voucher, voucher.tick_value));
}

Result<Amount> TickPayee::take(const Tick& tick) {
    if (tick == newest_) return owed();
    if (!leads_back(tick)) return fail(ErrorCode::invalid_data, "the tick does not continue the chain");
    newest_ = tick;
    return owed();
}

bool TickPayee::leads_back(const Tick& tick) const {
    if (tick.index <= newest_.index || tick.index > voucher_.max_ticks) return false;
    auto word = tick.word;
    for (auto index = tick.index; index > newest_.index; --index) word = codec::previous_word(word, chain_, index);
    return word == newest_.word;
}

Amount TickPayee::owed() const {
    return codec::owed_after(voucher_, newest_.index).value();
}

}  // namespace myst::pay
