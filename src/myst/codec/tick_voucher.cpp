#include "myst/codec/tick_voucher.hpp"

#include "myst/base/check.hpp"
#include "myst/codec/eip712.hpp"
#include "myst/crypto/keccak.hpp"

namespace myst::codec {

using eip712::StructHasher;

Hash32 tick_chain(const LaneDomain& domain, const Voucher& voucher, std::uint64_t tick_value) {
    return StructHasher(domain.separator())
        .address(voucher.provider)
        .u64(voucher.epoch)
        .amount(voucher.total)
        .u64(tick_value)
        .hash();
}

Hash32 previous_word(const Hash32& word, const Hash32& chain, std::uint16_t index) {
    std::array<std::uint8_t, Hash32::kSize> number{};
    number[30] = static_cast<std::uint8_t>(index >> 8);
    number[31] = static_cast<std::uint8_t>(index);
    return crypto::keccak256({word.view(), chain.view(), number});
}

std::optional<Amount> owed_after(const TickVoucher& voucher, std::uint16_t ticks) {
    const auto ticked = Amount::from_wide(Uint128{voucher.tick_value} * ticks);
    const auto owed = ticked ? voucher.voucher.total.plus(*ticked) : std::nullopt;
    if (!owed || *owed > voucher.voucher.cap) return std::nullopt;
    return owed;
}

Hash32 tick_voucher_digest(const LaneDomain& domain, const TickVoucher& tick_voucher) {
    static const Hash32 type = eip712::type_hash(
        "TickVoucher(address provider,uint24 epoch,uint96 total,uint96 cap,bytes32 anchor,uint64 tickValue,"
        "uint16 maxTicks)");
    const auto& voucher = tick_voucher.voucher;
    const auto hash = StructHasher(type)
                          .address(voucher.provider)
                          .u64(voucher.epoch)
                          .amount(voucher.total)
                          .amount(voucher.cap)
                          .word(tick_voucher.anchor)
                          .u64(tick_voucher.tick_value)
                          .u64(tick_voucher.max_ticks)
                          .hash();
    return eip712::digest(domain.separator(), hash);
}

SignedTickVoucher sign_tick_voucher(const LaneDomain& domain, const TickVoucher& voucher,
                                    const crypto::PrivateKey& key) {
    CHECK(voucher.voucher.epoch <= kMaxEpoch && voucher.max_ticks <= kMaxTicks);
    return {voucher, key.sign(tick_voucher_digest(domain, voucher))};
}

Result<Address> recover_signer(const LaneDomain& domain, const SignedTickVoucher& signed_voucher) {
    const auto& voucher = signed_voucher.tick_voucher;
    if (voucher.voucher.epoch > kMaxEpoch || voucher.max_ticks > kMaxTicks) {
        return fail(ErrorCode::invalid_data, "the epoch or the number of ticks of a voucher is too large");
    }
    return crypto::recover(tick_voucher_digest(domain, voucher), signed_voucher.signature);
}

std::array<Hash32, 5> settle_ticks_item(const SignedTickVoucher& signed_voucher, const Tick& newest) {
    const auto& [tick_voucher, signature] = signed_voucher;
    Hash32 ticks;
    for (std::size_t i = 0; i < 8; ++i) {
        ticks.bytes[20 + i] = static_cast<std::uint8_t>(tick_voucher.tick_value >> (56 - 8 * i));
    }
    ticks.bytes[28] = static_cast<std::uint8_t>(tick_voucher.max_ticks >> 8);
    ticks.bytes[29] = static_cast<std::uint8_t>(tick_voucher.max_ticks);
    ticks.bytes[30] = static_cast<std::uint8_t>(newest.index >> 8);
    ticks.bytes[31] = static_cast<std::uint8_t>(newest.index);
    return {settle_item({tick_voucher.voucher, signature})[0], ticks, newest.word, signature.r, signature.vs};
}

}  // namespace myst::codec
