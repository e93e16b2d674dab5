// Watches over what the wallet pays for gas: the market, its history, the wallet's ether and the hour's limit.
#pragma once

#include <optional>
#include <string>

#include "myst/base/clock.hpp"
#include "myst/chain/fee_policy.hpp"
#include "myst/chain/outbox_file.hpp"
#include "myst/chain/wallet_rpc.hpp"

namespace myst::chain {

/// Control thread. Endpoint, file and clock must outlive it.
class FeeGuard {
public:
    struct Settings {
        FeeLimits limits{};
        milliseconds sample{60'000};  ///< between samples of the base fee for its median
    };
    FeeGuard(Settings settings, const Address& wallet, WalletRpc& rpc, OutboxFile& file, const Clock& clock)
        : settings_(settings), wallet_(wallet), rpc_(rpc), file_(file), clock_(clock) {}

    /// What a transaction should offer now. limit_exceeded if that is more than the limits permit.
    [[nodiscard]] Task<Result<FeeQuote>> quote();
    /// insufficient_funds if the wallet has less ether than `cost` wei.
    [[nodiscard]] Task<Result<>> check_funds(std::string name, Uint256 cost);
    /// The hourly limit, with `cost` wei for the intent `id` in place of what was signed for it before: limit_exceeded.
    /// Any other error is a fault of the file.
    [[nodiscard]] Task<Result<>> check_hour_of(std::int64_t id, Uint256 cost);
    /// Looks at the base fee if it is time to, so that there is something to compare with. Failures show when something
    /// is sent.
    [[nodiscard]] Task<> sample();

private:
    Settings settings_;
    Address wallet_;
    WalletRpc& rpc_;
    OutboxFile& file_;
    const Clock& clock_;
    BaseFeeHistory base_fees_;
    std::optional<MonotonicTime> sampled_;  ///< last time the base fee was asked for the history
};

}  // namespace myst::chain
