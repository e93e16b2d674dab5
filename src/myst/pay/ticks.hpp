// Both sides of a tick voucher (docs/protocol.md): payments of 32 bytes that cost one hash each. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "myst/codec/tick_voucher.hpp"

namespace myst::pay {

using codec::Tick;

/// Whether a tick voucher has 1 … kMaxTicks ticks, all of them within its cap.
[[nodiscard]] bool is_payable(const codec::TickVoucher& voucher);

/// The payer's chain. Whoever sees a word knows all earlier ones and none of the later.
class TickPayer {
public:
    /// `last_word` is random and secret. invalid_argument if there are no ticks or more than kMaxTicks, or if all of
    /// them together exceed the voucher's cap.
    [[nodiscard]] static Result<TickPayer> begin(const codec::LaneDomain& domain, const codec::Voucher& voucher,
                                                 std::uint64_t tick_value, std::uint16_t max_ticks,
                                                 const Hash32& last_word);

    /// What is to be signed, stored and sent before the first tick.
    [[nodiscard]] const codec::TickVoucher& voucher() const { return voucher_; }
    /// The next tick; it is spent from now on. The caller stores its index before it sends it. None after the last one.
    [[nodiscard]] std::optional<Tick> next();
    /// The tick that brings what is owed closest to `total` and not above it; those before it are spent with it. None
    /// if that is none, or one beyond the last.
    [[nodiscard]] std::optional<Tick> pay_up_to(Amount total);
    /// A plain voucher over everything that ticks have paid, to be signed in their place.
    [[nodiscard]] codec::Voucher converted() const;

private:
    TickPayer(const codec::TickVoucher& voucher, std::vector<Hash32> words)
        : voucher_(voucher), words_(std::move(words)) {}

    codec::TickVoucher voucher_;
    std::vector<Hash32> words_;  ///< of the ticks 1 … max_ticks
    std::uint16_t spent_ = 0;
};

/// The payee's end of a chain. A tick costs one Keccak for each step it is ahead of the last one, never more than
/// kMaxTicks; an index out of range costs none.
class TickPayee {
public:
    /// For a voucher whose signer was recovered and found right. invalid_data if it is not payable.
    [[nodiscard]] static Result<TickPayee> begin(const codec::LaneDomain& domain, const codec::TickVoucher& voucher);

    /// Takes a tick and returns what is owed on the lane now; the newest tick again changes nothing. invalid_data if it
    /// is none of this chain's or an earlier one. The caller stores the tick before it credits it, and bounds how many
    /// wrong ones it listens to.
    [[nodiscard]] Result<Amount> take(const Tick& tick);
    /// The proof of what is owed; index 0 and the anchor before the first tick.
    [[nodiscard]] const Tick& newest() const { return newest_; }
    [[nodiscard]] Amount owed() const;

private:
    TickPayee(const codec::TickVoucher& voucher, const Hash32& chain)
        : voucher_(voucher), chain_(chain), newest_{0, voucher.anchor} {}
    [[nodiscard]] bool leads_back(const Tick& tick) const;

    codec::TickVoucher voucher_;
    Hash32 chain_;
    Tick newest_;
};

}  // namespace myst::pay
