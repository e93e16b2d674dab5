// This node's entry in the on-chain registry of providers.
#pragma once

#include "myst/node/wallet.hpp"

namespace myst::node {

/// Control thread.
class Registration {
public:
    /// `stake` is put down, or the contract's minimum if that is more.
    Registration(Context& context, Wallet& wallet, Amount stake) : context_(context), wallet_(wallet), stake_(stake) {}

    /// Registers the wallet with the node key unless that is so already. failed_precondition while the entry is on its
    /// way out.
    [[nodiscard]] Task<Result<>> ensure();
    /// The first call announces, the second, when the contract's window has passed, removes the entry and brings the
    /// stake back to the wallet. failed_precondition if there is no entry, or if it is too early.
    [[nodiscard]] Task<Result<UnregisterResult>> leave();
    /// Whether the registry had the entry when last looked at.
    [[nodiscard]] bool is_registered() const { return registered_; }

private:
    [[nodiscard]] Task<Result<Amount>> approve_missing(Amount wanted, Amount staked);

    Context& context_;
    Wallet& wallet_;
    Amount stake_;
    bool registered_ = false;
};

}  // namespace myst::node
