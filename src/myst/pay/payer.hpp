// The consumer's side of one paid session: when to pay, how much, and when to leave. Pure: no clock, disk or socket.
#pragma once

#include <cstdint>
#include <optional>

#include "myst/base/amount.hpp"
#include "myst/base/error.hpp"
#include "myst/pay/tariff.hpp"

namespace myst::pay {

struct PayerTerms {
    Tariff tariff;
    std::uint64_t chunk_bytes = 1 << 20;              ///< paid ahead at most; 64 KiB … 16 MiB
    milliseconds time_slice{10'000};                  ///< time paid ahead at most
    std::uint64_t tolerance_bytes = kMeterTolerance;  ///< by how much the two meters may differ, at least
    std::uint64_t tolerance_percent = 2;              ///< and in proportion to what was used
    Amount reserve_ahead{};                           ///< by how much the provider may set aside more than it was paid
    std::uint64_t in_flight_bytes = 0;  ///< may be metered by the provider and not have arrived yet; not billed
};

/// Decides payments of one session. Totals are those of the lane's epoch, they continue from session to session;
/// "paid" is this session's part of them.
class PayerSession {
public:
    /// `base_total`: highest total ever signed for this lane and epoch. `spendable`: by how much it may still grow,
    /// given the deposit and what other providers were promised.
    PayerSession(const PayerTerms& terms, Amount base_total, Amount spendable)
        : terms_(terms), base_(base_total), issued_(base_total), acknowledged_(base_total), spendable_(spendable) {}

    /// The total to sign now, or none if enough is paid. When less than an eighth of a chunk (or of a time slice) is
    /// paid ahead, it pays up to one chunk and one time slice beyond what is used, never more, and at the deposit's end
    /// what is left. insufficient_funds when the deposit is used up, or does not even cover the first step.
    [[nodiscard]] Result<std::optional<Amount>> due(std::uint64_t used, milliseconds connected) const;
    /// The total to sign when leaving: what was used and not a unit ahead. None if that is paid already.
    [[nodiscard]] std::optional<Amount> owed(std::uint64_t used, milliseconds connected) const;
    /// From now on, pays up to so many bytes ahead.
    void set_chunk(std::uint64_t bytes) { terms_.chunk_bytes = bytes; }
    /// What one step ahead costs: a chunk and a time slice.
    [[nodiscard]] Amount step() const { return cost_of(terms_.tariff, terms_.chunk_bytes, terms_.time_slice); }
    /// The cap to sign together with `total`: `reserve_ahead` more, as far as the deposit goes.
    [[nodiscard]] Amount cap_for(Amount total) const;
    /// Bytes to pay for: the own count, or the provider's where that is higher, by no more than the tolerance.
    [[nodiscard]] std::uint64_t billable(std::uint64_t own, std::uint64_t peer) const;
    /// A voucher for `total` is on disk and may be sent. Totals only grow.
    void issued(Amount total);
    /// The provider returned our own signature over a higher total than we remember.
    void adopt(Amount total);
    /// The provider has stored a voucher. invalid_data if it claims more than was signed.
    [[nodiscard]] Result<> acknowledged(Amount total);
    /// failed_precondition if the provider's meter is ahead of ours by more than the tolerance and what may be in
    /// flight.
    [[nodiscard]] Result<> check_meter(std::uint64_t own, std::uint64_t peer) const;

    [[nodiscard]] Amount paid() const { return issued_.minus_saturating(base_); }
    [[nodiscard]] Amount paid_and_acknowledged() const { return acknowledged_.minus_saturating(base_); }
    [[nodiscard]] Amount issued_total() const { return issued_; }
    [[nodiscard]] Amount acknowledged_total() const { return acknowledged_; }
    /// What may still be promised.
    [[nodiscard]] Amount left() const { return spendable_.minus_saturating(paid()); }
    [[nodiscard]] const PayerTerms& terms() const { return terms_; }

private:
    /// By how much the provider may count more than the own meter, for good.
    [[nodiscard]] std::uint64_t tolerance(std::uint64_t own) const;

    PayerTerms terms_;
    Amount base_;
    Amount issued_;
    Amount acknowledged_;
    Amount spendable_;
};

}  // namespace myst::pay
