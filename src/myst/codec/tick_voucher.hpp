// A voucher that is continued with ticks: words of a hash chain whose end the payer signed. One Keccak checks a tick.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>

#include "myst/codec/voucher.hpp"

namespace myst::codec {

/// Ticks that the contract walks back at most.
inline constexpr std::uint16_t kMaxTicks = 64;

/// Promises `voucher.total` at once and `tick_value` more with every tick that the payee knows.
struct TickVoucher {
    Voucher voucher;
    Hash32 anchor;                 ///< what the words of the ticks lead back to
    std::uint64_t tick_value = 0;  ///< token units
    std::uint16_t max_ticks = 0;   ///< at most kMaxTicks
    auto operator<=>(const TickVoucher&) const = default;
};

struct SignedTickVoucher {
    TickVoucher tick_voucher;
    crypto::CompactSignature signature;
    auto operator<=>(const SignedTickVoucher&) const = default;
};

/// A payment: the word of tick `index`, counted from 1. Index 0 with the anchor stands for no tick at all.
struct Tick {
    std::uint16_t index = 0;
    Hash32 word;
    auto operator<=>(const Tick&) const = default;
};

/// Names the chain of one tick voucher, so that its words are worth nothing anywhere else.
[[nodiscard]] Hash32 tick_chain(const LaneDomain& domain, const Voucher& voucher, std::uint64_t tick_value);
/// The word of tick `index − 1`, for the word of tick `index` ≥ 1; the one before tick 1 is the anchor. One Keccak.
[[nodiscard]] Hash32 previous_word(const Hash32& word, const Hash32& chain, std::uint16_t index);
/// What is owed after `ticks` ticks. None if it exceeds the cap, where the contract pays nothing.
[[nodiscard]] std::optional<Amount> owed_after(const TickVoucher& voucher, std::uint16_t ticks);

/// Digest of TickVoucher(address provider,uint24 epoch,uint96 total,uint96 cap,bytes32 anchor,uint64 tickValue,uint16
/// maxTicks), written without the line break.
[[nodiscard]] Hash32 tick_voucher_digest(const LaneDomain& domain, const TickVoucher& voucher);
/// Signs a tick voucher whose epoch is at most kMaxEpoch.
[[nodiscard]] SignedTickVoucher sign_tick_voucher(const LaneDomain& domain, const TickVoucher& voucher,
                                                  const crypto::PrivateKey& key);
/// The payer. invalid_data if the epoch or the number of ticks is too large, or the signature not one of secp256k1 with
/// low s.
[[nodiscard]] Result<Address> recover_signer(const LaneDomain& domain, const SignedTickVoucher& signed_voucher);
/// The five words that the contract's settleTicks() takes for a tick voucher and its newest tick: total ‖ cap ‖ epoch ‖
/// 40 zero bits, tick value ‖ number of ticks ‖ index, the tick's word, r, vs.
[[nodiscard]] std::array<Hash32, 5> settle_ticks_item(const SignedTickVoucher& signed_voucher, const Tick& newest);

}  // namespace myst::codec
