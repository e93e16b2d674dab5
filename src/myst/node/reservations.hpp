// What providers have set aside of this node's deposit, and taking it back.
#pragma once

#include "myst/node/wallet.hpp"

namespace myst::node {

/// Control thread.
class Reservations {
public:
    Reservations(Context& context, Wallet& wallet) : context_(context), wallet_(wallet) {}

    /// The lanes this node has signed vouchers on, as far as something is set aside or can still be drawn on them; the
    /// largest reservation first.
    [[nodiscard]] Task<Result<std::vector<Reservation>>> list();
    /// The first call requests the release of the lane to `provider`; the second, when the contract's window has
    /// passed, releases it: what the provider has not drawn by then is free again, and its vouchers are void.
    /// failed_precondition if there is nothing to release, or if it is too early.
    [[nodiscard]] Task<Result<ReleaseResult>> release(Address provider);

private:
    /// What can still be drawn by the newest voucher of the lane's epoch.
    [[nodiscard]] Task<Result<Amount>> promised(Address provider, ports::LaneState lane);
    [[nodiscard]] Task<Result<ReleaseResult>> announce(Address provider, Amount reserved);
    [[nodiscard]] Task<Result<ReleaseResult>> take_back(Address provider, Amount reserved);

    Context& context_;
    Wallet& wallet_;
};

}  // namespace myst::node
