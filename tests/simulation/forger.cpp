#include "forger.hpp"

namespace myst::sim {
namespace {

/// The other signature over the same digest by the same key: n − s, and R with the other parity.
crypto::CompactSignature high_s(crypto::CompactSignature signature) {
    static const Hash32 order = *Hash32::parse("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");
    const auto s = signature.s();
    int borrow = 0;
    for (std::size_t i = 32; i-- > 0;) {
        const int digit = order.bytes[i] - s.bytes[i] - borrow;
        borrow = digit < 0 ? 1 : 0;
        signature.vs.bytes[i] = static_cast<std::uint8_t>(digit & 0xff);
    }
    return signature;
}

constexpr Amount kMore{1'000};

}  // namespace

void Forger::watch(const pay::Frame& sent) {
    if (const auto* next = std::get_if<pay::TickFrame>(&sent)) return ticks_.push_back(next->tick);
    if (!ticks_.empty()) earlier_ = ticks_.back();
    ticks_.clear();
}

pay::Frame Forger::voucher(std::uint32_t epoch, Amount total) {
    const auto more = total.plus_saturating(kMore);
    const codec::Voucher honest{kProvider, epoch, more, more};
    const auto kind = random_.below(7);
    auto voucher = honest;
    if (kind == 0) ++voucher.epoch;
    if (kind == 1) voucher.cap = total;
    if (kind == 2) voucher.provider = kRival;
    auto forged = signatures_.sign(voucher);
    if (kind == 3) forged = codec::sign_voucher(signatures_.domain(), honest, fixed_key(9));
    if (kind == 4) forged.voucher.total = forged.voucher.cap = more.plus_saturating(Amount(1));
    if (kind == 5) forged.signature.vs.bytes[0] ^= 0x80;
    if (kind == 6) forged.signature = high_s(forged.signature);
    return pay::VoucherFrame::of(forged);
}

pay::Frame Forger::tick_voucher(std::uint32_t epoch, Amount total) {
    constexpr std::uint64_t kTickValue = 100;
    const auto more = total.plus_saturating(kMore);
    codec::TickVoucher terms{{kProvider, epoch, more, more.plus_saturating(Amount(kTickValue * codec::kMaxTicks))},
                             random_bytes<Hash32>(random_),
                             kTickValue,
                             codec::kMaxTicks};
    const auto kind = random_.below(8);
    if (kind == 0) terms.max_ticks = codec::kMaxTicks + 1;
    if (kind == 1) terms.max_ticks = 0;
    if (kind == 2) ++terms.tick_value;
    if (kind == 3) terms.voucher.provider = kRival;
    const auto digest = codec::tick_voucher_digest(signatures_.domain(), terms);
    codec::SignedTickVoucher forged{terms, signatures_.payer().sign(digest)};
    if (kind == 4) forged.tick_voucher.anchor = random_bytes<Hash32>(random_);
    if (kind == 5) --forged.tick_voucher.tick_value;
    if (kind == 6) --forged.tick_voucher.max_ticks;
    if (kind == 7) forged.signature = high_s(forged.signature);
    return pay::TickVoucherFrame::of(forged);
}

pay::TickFrame Forger::tick() {
    const auto kind = random_.below(5);
    if (kind == 1 && !ticks_.empty()) return {{next_index(), ticks_.back().word}};
    if (kind == 2 && ticks_.size() > 1) return {ticks_[random_.below(ticks_.size() - 1)]};
    if (kind == 3 && earlier_.index > 0) return {earlier_};
    auto forged = junk();
    if (kind == 4) forged.tick.index = static_cast<std::uint16_t>(random_.between(forged.tick.index, 0xffff));
    return forged;
}

std::uint16_t Forger::next_index() const {
    return ticks_.empty() ? std::uint16_t{1} : static_cast<std::uint16_t>(ticks_.back().index + 1);
}

}  // namespace myst::sim
