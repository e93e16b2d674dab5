// The provider's settlement policy at work: looks at the vouchers held and brings on chain what is due.
#pragma once

#include <functional>

#include "myst/node/settlement.hpp"
#include "myst/runtime/event_signal.hpp"
#include "myst/runtime/task_group.hpp"

namespace myst::node {

struct SettlerSettings {
    pay::SettlementTerms terms;
    milliseconds look{300'000};          ///< between looks when nothing happens; far below the contract's window
    std::uint64_t finality_blocks = 96;  ///< after which nothing is undone any more, as for the index
    bool release_on_request = true;  ///< ends lanes whose payers want their reservation back, before the window does
};

/// Control thread. Looks whether anything is sold or not, from `start` on: payers leave while they have no session.
class Settler {
public:
    /// `in_session` tells whether a payer has an open session here.
    Settler(Context& context, Wallet& wallet, SettlerSettings settings, std::function<bool(const Address&)> in_session);

    /// Looks at once, and then again and again.
    void start();
    /// Something has changed that the policy should know; returns at once.
    void look_soon() { changed_.notify(); }
    /// Ends what `start` began. The last call.
    [[nodiscard]] Task<> shut_down();

    /// Whether a release of this payer's lane is under way, perhaps of an earlier run: what it paid now would be void.
    [[nodiscard]] bool is_releasing(const Address& payer) const;
    /// Finds out whether an earlier run left a release open. Before sessions are admitted.
    [[nodiscard]] Task<Result<>> know_open_release();

    /// One look: settles what the policy says. failed_precondition if a settlement is running.
    [[nodiscard]] Task<Result<SettleResult>> settle_due();
    /// Settles whatever brings money, because somebody asked.
    [[nodiscard]] Task<Result<SettleResult>> settle_all();

    /// What still brings money, as the chain says now.
    [[nodiscard]] Task<Result<UnsettledVouchers>> unsettled();
    /// What every payer owes, and the sums, into the parts of `limits` that say so.
    [[nodiscard]] Task<Result<>> report(ProviderLimits& limits);

private:
    /// Vouchers and what the policy says of them, one reason for each.
    struct Plan {
        std::vector<UnsettledVoucher> vouchers;
        std::vector<OwedRelease> releases;
        std::vector<pay::Claim> claims;
        std::vector<pay::SettleReason> reasons;
        std::optional<Error> failure;  ///< why a payer is missing
    };
    [[nodiscard]] Task<Result<Plan>> plan();
    [[nodiscard]] Task<Result<SettleResult>> settle(bool everything);
    /// Releases the lanes that are owed it, as far as their gas is in proportion to what they have earned.
    [[nodiscard]] Task<> release(std::vector<OwedRelease> releases);
    /// One of them, if it is still owed.
    [[nodiscard]] Task<Result<>> release_one(OwedRelease owed);
    [[nodiscard]] Task<Result<bool>> is_owed(OwedRelease owed);
    [[nodiscard]] Task<> keep_looking();

    Context& context_;
    Wallet& wallet_;
    SettlerSettings settings_;
    std::function<bool(const Address&)> in_session_;
    pay::Deadlines deadlines_;
    SettledLanes settled_;
    EventSignal changed_;
    TaskGroup tasks_;
    bool settling_ = false;
    std::optional<Bytes> release_;  ///< calldata of a release that may be mined
    std::string last_failure_;
};

}  // namespace myst::node
