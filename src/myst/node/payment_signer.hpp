// Makes the payments of one session: plain vouchers, and chains of ticks between them (docs/protocol.md, "Ticks").
#pragma once

#include <chrono>

#include "myst/base/rng.hpp"
#include "myst/pay/frame.hpp"
#include "myst/pay/ticks.hpp"
#include "myst/ports/ledger_store.hpp"

namespace myst::node {

/// A payment as it is stored before it is sent, and as it is sent.
struct Payment {
    ports::HeldVoucher proof;
    pay::Frame frame;
};

/// Whose payments they are, and to whom. References outlive the signer.
struct PaymentRoute {
    const crypto::PrivateKey& signer;
    codec::LaneDomain domain;
    Address payee;
    std::uint32_t epoch = 0;
    SessionId session;
    Amount cap{};  ///< highest cap signed so far in this epoch
};

/// A chain follows a plain voucher and ends in one: after a minute, after its last tick, when a tick does not fit what
/// is to be paid, and whenever the caller asks. Totals given must not fall, and caps do not: an older voucher can still
/// be settled, so that the newest one on disk tells what all of them let a payee reserve. Control thread.
class PaymentSigner {
public:
    PaymentSigner(PaymentRoute route, const Clock& clock, Rng& rng) : route_(route), clock_(clock), rng_(rng) {}

    /// Brings the lane to `total` with a plain voucher that lets the payee reserve up to `cap`, or what an earlier one
    /// let it.
    [[nodiscard]] Payment by_voucher(Amount total, Amount cap);
    /// Brings the lane close to `total` and never beyond, by the next tick, or by a voucher where there can be none:
    /// the first of a chain, whose ticks are worth half a `step` each and together do not pass `limit`, or the plain
    /// one after it.
    [[nodiscard]] Payment by_tick(Amount total, Amount step, Amount limit);

    /// A voucher with this cap was signed before this signer began.
    void remember_cap(Amount cap) { route_.cap = std::max(route_.cap, cap); }
    /// The highest cap signed so far in this epoch.
    [[nodiscard]] Amount cap() const { return route_.cap; }
    /// The last payment was by tick, or began a chain.
    [[nodiscard]] bool has_chain() const { return chain_.has_value(); }
    /// It is time for a plain voucher, also if nothing is due.
    [[nodiscard]] bool must_convert() const;
    /// The shortest time that a signature has taken so far; zero before the first.
    [[nodiscard]] std::chrono::nanoseconds signing_time() const { return signing_time_; }

private:
    struct Chain {
        pay::TickPayer payer;
        codec::SignedTickVoucher voucher;
        MonotonicTime begun;
    };
    [[nodiscard]] std::optional<Payment> next_tick(Amount total);
    [[nodiscard]] std::optional<Payment> begin_chain(Amount total, Amount step, Amount limit);
    [[nodiscard]] Payment payment(const pay::Tick& newest, pay::Frame frame) const;
    template <class Sign>
    auto timed(Sign sign);

    PaymentRoute route_;
    const Clock& clock_;
    Rng& rng_;
    std::optional<Chain> chain_;
    std::chrono::nanoseconds signing_time_{};
};

}  // namespace myst::node
