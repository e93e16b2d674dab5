#include "myst/node/settler.hpp"

#include <algorithm>
#include <map>

#include "myst/base/busy.hpp"
#include "myst/base/log.hpp"
#include "myst/chain/lanes_contract.hpp"

namespace myst::node {
namespace {

constexpr std::size_t kSessionHistory = 1000;
constexpr milliseconds kRetry{30'000};
constexpr milliseconds kLeastPause{500};  ///< so that a stream of vouchers does not become a stream of looks

void log_reasons(const std::vector<pay::SettleReason>& reasons) {
    std::map<pay::SettleReason, std::size_t> counts;
    for (const auto reason : reasons) ++counts[reason];
    for (const auto& [reason, count] : counts) {
        if (reason != pay::SettleReason::none) log::info("settling {} vouchers: {}", count, to_string(reason));
    }
}

}  // namespace

Settler::Settler(Context& context, Wallet& wallet, SettlerSettings settings,
                 std::function<bool(const Address&)> in_session)
    : context_(context),
      wallet_(wallet),
      settings_(settings),
      in_session_(std::move(in_session)),
      deadlines_(settings_.finality_blocks),
      settled_(settings_.finality_blocks),
      changed_(context.executor),
      tasks_(context.executor) {}

void Settler::start() {
    tasks_.spawn("unsettled vouchers", keep_looking());
}

Task<> Settler::shut_down() {
    tasks_.cancel();
    co_await tasks_.join();
}

Task<> Settler::keep_looking() {
    for (;;) {
        if (wallet_.info() && !settling_) {
            auto settled = co_await settle_due();
            last_failure_ = settled ? std::string() : settled.error().describe();
            if (!settled) {
                log::warn("{}", settled.error().in("settling").describe());
                co_await sleep_for(std::min(settings_.look, kRetry));
                continue;
            }
        }
        co_await sleep_for(std::min(settings_.look, kLeastPause));
        std::ignore = co_await changed_.wait(settings_.look);
    }
}

Task<Result<SettleResult>> Settler::settle_due() {
    return settle(false);
}

Task<Result<SettleResult>> Settler::settle_all() {
    return settle(true);
}

Task<Result<SettleResult>> Settler::settle(bool everything) {
    if (auto known = wallet_.info(); !known) co_return forward_error(known);
    if (settling_) co_return fail(ErrorCode::failed_precondition, "a settlement is running", "try again in a moment");
    const Busy busy(settling_);
    auto current = co_await wallet_.check_view();
    if (!current) co_return forward_error(current);
    auto planned = co_await plan();
    if (!planned) co_return forward_error(planned);
    std::vector<UnsettledVoucher> chosen;
    for (std::size_t i = 0; i < planned->vouchers.size(); ++i) {
        const bool due = everything || planned->reasons[i] != pay::SettleReason::none;
        if (due) chosen.push_back(planned->vouchers[i]);
    }
    if (!everything) log_reasons(planned->reasons);
    const auto payee = context_.keys.wallet()->address();
    auto settled = co_await settle_vouchers(context_, wallet_, payee, std::move(chosen));
    if (settled && settled->vouchers > 0) {
        log::info("settled {} vouchers for {} tokens", settled->vouchers, format_tokens(settled->amount));
    }
    co_await release(std::move(planned->releases));
    if (settled && planned->failure) co_return tl::unexpected<Error>(std::move(*planned->failure));
    co_return settled;
}

Task<> Settler::release(std::vector<OwedRelease> releases) {
    if (release_) std::ignore = co_await know_open_release();
    if (!settings_.release_on_request) co_return;
    const auto cost = pay::gas_cost(settings_.terms, pay::kReleaseGas);
    for (const auto& owed : releases) {
        if (cost.units() > owed.lane.paid.units() * settings_.terms.overhead_percent / 100) continue;
        auto released = co_await release_one(owed);
        // The payer can release the lane itself after the window.
        if (!released) log::warn("{}", released.error().in("releasing a lane").describe());
    }
}

Task<Result<>> Settler::release_one(OwedRelease owed) {
    const auto payee = context_.keys.wallet()->address();
    if (release_) co_return fail(ErrorCode::failed_precondition, "another release is under way");
    auto data = chain::call::release(owed.signer, payee);
    release_ = data;  // from here on the payer is not admitted
    auto still_owed = co_await is_owed(owed);
    if (!still_owed || !*still_owed) {
        release_.reset();
        if (!still_owed) co_return forward_error(still_owed);
        co_return Result<>();
    }
    std::string purpose = "release the lane of payer " + owed.signer.hex0x();
    auto released = co_await wallet_.transact(ports::TxKind::release, std::move(purpose), std::move(data));
    // One that failed may wait in the outbox, to be mined later.
    auto known = co_await know_open_release();
    if (!known) log::warn("{}", known.error().describe());
    if (!released) co_return forward_error(released);
    const auto given = owed.lane.cap.minus_saturating(owed.lane.paid);
    log::info("gave {} tokens back to {}", format_tokens(given), owed.signer.hex0x());
    co_return Result<>();
}

/// Settling took its time: the lane must be what it was, and nothing may have been paid on it since.
Task<Result<bool>> Settler::is_owed(OwedRelease owed) {
    const auto payee = context_.keys.wallet()->address();
    auto lane = co_await context_.chain.lane(owed.signer, payee);
    if (!lane) co_return forward_error(lane);
    auto held = co_await context_.ledger.highest_voucher(owed.signer, payee);
    if (!held) co_return forward_error(held);
    const bool unchanged = *lane == owed.lane;
    const bool drawn = held->has_value() && use_of(**held, *lane) == VoucherUse::drawn;
    co_return unchanged&& drawn && !in_session_(owed.signer);
}

bool Settler::is_releasing(const Address& payer) const {
    return release_ && *release_ == chain::call::release(payer, context_.keys.wallet()->address());
}

Task<Result<>> Settler::know_open_release() {
    auto open = co_await wallet_.open_intent(ports::TxKind::release);
    if (!open) co_return forward_error(open);
    release_.reset();
    if (*open) release_ = (*open)->data;
    co_return Result<>();
}

Task<Result<UnsettledVouchers>> Settler::unsettled() {
    return unsettled_vouchers(context_, context_.keys.wallet()->address(), settled_);
}

Task<Result<Settler::Plan>> Settler::plan() {
    const auto payee = context_.keys.wallet()->address();
    auto found = co_await unsettled();
    if (!found) co_return forward_error(found);
    Plan plan;
    plan.vouchers = std::move(found->vouchers);
    plan.releases = std::move(found->releases);
    plan.failure = std::move(found->failure);
    if (plan.vouchers.empty()) co_return plan;
    auto head = co_await context_.chain.head();
    if (!head) co_return forward_error(head);
    auto sessions = co_await context_.ledger.sold_sessions(payee, kSessionHistory);
    if (!sessions) co_return forward_error(sessions);
    // Whichever clock is ahead: settling early costs little, settling late may cost everything.
    const auto now = std::max(head->time, context_.clock.unix_now());
    for (const auto& voucher : plan.vouchers) {
        const auto& signer = voucher.held.signer;
        pay::Claim claim;
        claim.gain = voucher.gain();
        claim.on_signature = voucher.on_signature();
        std::optional<std::uint16_t> ticks;
        if (voucher.held.ticks) ticks = voucher.held.ticks->newest.index;
        claim.ticked = ticks.has_value();
        claim.gas = pay::gas_of(voucher.held.total(), voucher.lane.cap, ticks);
        claim.deadline = deadlines_.observe(signer, voucher.deadline(), head->number);
        claim.in_session = in_session_(signer);
        claim.since = std::min(now, unsettled_since(*sessions, signer, payee, claim.gain));
        plan.claims.push_back(claim);
    }
    plan.reasons = pay::plan_settlement(settings_.terms, plan.claims, now);
    co_return plan;
}

Task<Result<>> Settler::report(ProviderLimits& limits) {
    const auto payee = context_.keys.wallet()->address();
    auto planned = co_await plan();
    if (!planned) co_return forward_error(planned);
    std::uint64_t gas = 0;
    std::size_t ticked = 0;
    for (std::size_t i = 0; i < planned->vouchers.size(); ++i) {
        const auto& voucher = planned->vouchers[i];
        const auto& claim = planned->claims[i];
        auto unpaid = co_await context_.ledger.unpaid(voucher.held.signer, payee);
        if (!unpaid) co_return forward_error(unpaid);
        PayerExposure payer;
        payer.signer = voucher.held.signer;
        payer.in_session = claim.in_session;
        payer.unsettled = claim.gain;
        payer.reserved = std::min(voucher.held.total(), voucher.lane.cap).minus_saturating(voucher.lane.paid);
        payer.on_signature = claim.on_signature;
        payer.unpaid = *unpaid;
        payer.settles_because = planned->reasons[i];
        if (claim.deadline) {
            payer.deadline = *claim.deadline;
            payer.settle_by = *claim.deadline - settings_.terms.margin;
            const bool first = limits.next_deadline == UnixTime{} || *claim.deadline < limits.next_deadline;
            if (first) limits.next_deadline = *claim.deadline;
        }
        limits.unsettled = limits.unsettled.plus_saturating(payer.unsettled);
        limits.reserved = limits.reserved.plus_saturating(payer.reserved);
        limits.on_signature = limits.on_signature.plus_saturating(payer.on_signature);
        limits.unpaid = limits.unpaid.plus_saturating(payer.unpaid);
        gas += claim.gas;
        if (claim.ticked) ++ticked;
        limits.payers.push_back(payer);
    }
    limits.payer_count = limits.payers.size();
    limits.settlement_cost = pay::gas_cost(settings_.terms, gas + pay::base_gas(limits.payer_count - ticked, ticked));
    std::sort(limits.payers.begin(), limits.payers.end(),
              [](const auto& a, const auto& b) { return a.on_signature > b.on_signature; });
    if (limits.payers.size() > ProviderLimits::kMaxPayers) limits.payers.resize(ProviderLimits::kMaxPayers);
    limits.policy = settings_.terms;
    limits.last_failure = planned->failure ? planned->failure->describe() : last_failure_;
    co_return Result<>();
}

}  // namespace myst::node
