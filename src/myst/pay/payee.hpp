// The provider's side of one paid session: which vouchers count, and how far the gate opens. Pure.
#pragma once

#include <cstdint>

#include "myst/codec/voucher.hpp"
#include "myst/pay/frame.hpp"
#include "myst/pay/tariff.hpp"
#include "myst/pay/ticks.hpp"

namespace myst::pay {

/// The credit is one sum of money: the price of `credit_bytes` and `time_credit` together, less the debt.
struct PayeeTerms {
    Tariff tariff;
    std::uint64_t credit_bytes = 1 << 20;  ///< forwarded before it is paid
    milliseconds time_credit{30'000};      ///< connected before it is paid
    Amount debt;                           ///< what this payer left unpaid before; eats up the credit
    Amount risk_limit;                     ///< R: most that may rest on signatures alone
    Amount settle_trigger;                 ///< above so much of it, what is held is to be settled
};

/// What the chain guarantees for one lane right now.
struct Coverage {
    Amount cap;               ///< reserved for this lane (includes what was paid out)
    Amount free;              ///< the payer's free deposit, promised to nobody on chain
    std::uint32_t epoch = 0;  ///< vouchers of any other epoch are worth nothing
    bool leaving = false;     ///< the payer has announced a release of the lane or an exit of deposit
    bool releasing = false;   ///< of the lane: its vouchers will be void
};

/// Outcome of examining a voucher that is in order.
enum class Verdict {
    store,   ///< put it on disk, then `credit` it
    repeat,  ///< nothing new; acknowledge what is held
};

/// Wrong ticks after which a payer is not listened to any longer.
inline constexpr unsigned kMaxWrongTicks = 8;

/// One session that this node sells. Totals are those of the lane's epoch.
class PayeeSession {
public:
    PayeeSession(const PayeeTerms& terms, const Address& signer, const Address& provider, std::uint32_t epoch,
                 Amount base_total)
        : terms_(terms), signer_(signer), provider_(provider), epoch_(epoch), base_(base_total), total_(base_total) {}

    /// Judges a voucher whose signer was recovered from its signature. Changes nothing.
    [[nodiscard]] tl::expected<Verdict, RefuseCode> examine(const codec::SignedVoucher& voucher,
                                                            const Address& recovered, const Coverage& coverage) const;
    /// Likewise for one that ticks will continue.
    [[nodiscard]] tl::expected<Verdict, RefuseCode> examine(const codec::SignedTickVoucher& voucher,
                                                            const Address& recovered, const Coverage& coverage) const;
    /// Judges a tick of the chain that `begin_ticks` began. Costs a hash for each tick it is ahead, none if its index
    /// is out of range or too many were wrong before.
    [[nodiscard]] tl::expected<Verdict, RefuseCode> examine(const Tick& tick, const Coverage& coverage);
    /// What brings the lane to `total` is on disk: it counts from now on.
    void credit(Amount total);
    /// A tick voucher that was found to be in order is on disk: its ticks may follow.
    void begin_ticks(const codec::LaneDomain& domain, const codec::SignedTickVoucher& voucher);
    /// A plain voucher is on disk.
    void end_ticks() { ticks_.reset(); }
    /// The chain that is paid with, if any.
    [[nodiscard]] const codec::SignedTickVoucher* tick_voucher() const { return ticks_ ? &ticks_->voucher : nullptr; }
    [[nodiscard]] bool too_many_wrong_ticks() const { return wrong_ticks_ >= kMaxWrongTicks; }

    /// Bytes in all that the gate may pass after `connected`: what payment and credit cover besides the time. Zero as
    /// soon as time has a price and uses up both.
    [[nodiscard]] std::uint64_t allowance(milliseconds connected) const;
    /// What rests on signatures alone.
    [[nodiscard]] Amount exposure(const Coverage& coverage) const { return total_.minus_saturating(coverage.cap); }
    [[nodiscard]] bool should_settle(const Coverage& coverage) const {
        return exposure(coverage) > terms_.settle_trigger;
    }
    /// Whether what was credited can still be drawn: the lane is this one, nobody takes it back, and neither was the
    /// deposit taken away nor the block undone that brought it. If not, the service has to stop.
    [[nodiscard]] bool is_covered(const Coverage& coverage) const {
        return coverage.epoch == epoch_ && !coverage.releasing && total_ <= coverage.cap.plus_saturating(coverage.free);
    }

    [[nodiscard]] const PayeeTerms& terms() const { return terms_; }
    [[nodiscard]] const Address& signer() const { return signer_; }
    [[nodiscard]] std::uint32_t epoch() const { return epoch_; }
    [[nodiscard]] Amount total() const { return total_; }
    [[nodiscard]] Amount paid() const { return total_.minus_saturating(base_); }

private:
    struct Chain {
        codec::SignedTickVoucher voucher;
        TickPayee payee;
    };
    [[nodiscard]] tl::expected<Verdict, RefuseCode> examine_terms(const codec::Voucher& voucher,
                                                                  const Address& recovered,
                                                                  const Coverage& coverage) const;
    [[nodiscard]] tl::expected<Verdict, RefuseCode> examine_total(Amount total, const Coverage& coverage) const;
    [[nodiscard]] Amount credit_left() const;

    PayeeTerms terms_;
    Address signer_;
    Address provider_;
    std::uint32_t epoch_;
    Amount base_;
    Amount total_;
    std::optional<Chain> ticks_{};
    unsigned wrong_ticks_ = 0;
};

}  // namespace myst::pay
