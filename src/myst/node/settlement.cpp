#include "myst/node/settlement.hpp"

#include <algorithm>
#include <functional>

#include "myst/base/log.hpp"
#include "myst/chain/lanes_contract.hpp"

namespace myst::node {
namespace {

constexpr auto kBatch = static_cast<std::ptrdiff_t>(pay::kSettlementBatch);
constexpr std::uint64_t kBasisPoints = 10'000;
constexpr std::size_t kMostFailures = 16;  // in a row: it is not those payers, the chain cannot be read

/// What a batch brought, by what the chain says afterwards: a voucher that the deposit did not cover pays less. Where
/// the chain cannot be read, what was expected: the transaction is mined, and that is no failure.
Task<Amount> paid_out(Context& context, std::vector<UnsettledVoucher> batch, Address payee) {
    Amount sum;
    for (const auto& voucher : batch) {
        auto lane = co_await context.chain.lane(voucher.held.signer, payee);
        if (!lane) log::warn("{}", lane.error().in("reading what a settlement brought").describe());
        sum = sum.plus_saturating(lane ? lane->paid.minus_saturating(voucher.lane.paid) : voucher.gain());
    }
    co_return sum;
}

/// Adds the voucher if it still brings money, or the release that its lane is owed.
Task<Result<>> look_at(Context& context, Address payee, ports::HeldVoucher held, SettledLanes& settled,
                       std::uint64_t head, UnsettledVouchers& found) {
    auto lane = co_await context.chain.lane(held.signer, payee);
    if (!lane) co_return forward_error(lane);
    const auto use = use_of(held, *lane);
    settled.observe(held, *lane, head);
    if (use == VoucherUse::drawn && settled.is_release_final(held)) found.releases.push_back({held.signer, *lane});
    if (use != VoucherUse::owed || held.voucher.voucher.epoch != lane->epoch) co_return Result<>();
    auto account = co_await context.chain.account(held.signer);
    if (!account) co_return forward_error(account);
    const UnsettledVoucher entry{held, *lane, *account};
    if (!entry.gain().is_zero()) found.vouchers.push_back(entry);
    co_return Result<>();
}

bool has_ticks(const UnsettledVoucher& voucher) {
    return voucher.held.ticks.has_value();
}

/// For a batch of one kind.
Bytes calldata(const Address& payee, const std::vector<UnsettledVoucher>& batch) {
    std::vector<codec::SignedVoucher> plain;
    std::vector<chain::TickClaim> ticked;
    for (const auto& voucher : batch) {
        const auto& held = voucher.held;
        if (has_ticks(voucher)) {
            ticked.push_back({*held.tick_voucher(), held.ticks->newest});
        } else {
            plain.push_back(held.voucher);
        }
    }
    return plain.empty() ? chain::call::settle_ticks(payee, ticked) : chain::call::settle(payee, plain);
}

Task<Result<>> settle_batch(Context& context, Wallet& wallet, Address payee, std::vector<UnsettledVoucher> batch,
                            std::uint64_t fee_bps, SettleResult& result) {
    auto data = calldata(payee, batch);
    auto purpose = "settle " + std::to_string(batch.size()) + " vouchers";
    auto outcome = co_await wallet.transact(ports::TxKind::settle, std::move(purpose), std::move(data));
    if (!outcome) co_return forward_error(outcome);
    const auto count = batch.size();
    const auto gross = co_await paid_out(context, std::move(batch), payee);
    const auto fee = Amount::from_wide(gross.units() * fee_bps / kBasisPoints).value_or(Amount{});
    result.transactions.push_back(outcome->hash);
    result.vouchers += count;
    result.fee = result.fee.plus_saturating(fee);
    result.amount = result.amount.plus_saturating(gross.minus_saturating(fee));
    result.gas_used += outcome->gas_used;
    co_return Result<>();
}

}  // namespace

VoucherUse use_of(const ports::HeldVoucher& held, const ports::LaneState& lane) {
    const auto epoch = held.voucher.voucher.epoch;
    if (epoch < lane.epoch) return VoucherUse::over;
    if (epoch > lane.epoch || held.total() > lane.paid) return VoucherUse::owed;
    return lane.cap > lane.paid ? VoucherUse::drawn : VoucherUse::over;
}

Amount UnsettledVoucher::gain() const {
    const auto covered = lane.cap.plus_saturating(account.free).plus_saturating(account.exiting);
    return std::min(held.total(), covered).minus_saturating(lane.paid);
}

std::optional<UnixTime> UnsettledVoucher::deadline() const {
    std::optional<UnixTime> first;
    if (lane.release_at != UnixTime{}) first = lane.release_at;
    if (!account.exiting.is_zero()) first = std::min(first.value_or(account.exit_at), account.exit_at);
    return first;
}

UnixTime unsettled_since(const std::vector<ports::SessionRecord>& sessions, const Address& signer, const Address& payee,
                         Amount amount) {
    UnixTime since = UnixTime::max();
    for (const auto& session : sessions) {
        if (amount.is_zero()) break;
        if (session.signer != signer || session.provider != payee) continue;
        since = std::min(since, session.started);
        amount = amount.minus_saturating(session.paid);
    }
    if (!amount.is_zero() && !sessions.empty()) since = std::min(since, sessions.back().started);
    return since;
}

const SettledLanes::Seen* SettledLanes::find_final(const ports::HeldVoucher& held) const {
    const auto found = seen_.find({held.signer, held.voucher.voucher.epoch});
    if (found == seen_.end() || found->second.total != held.total()) return nullptr;
    return found->second.final ? &found->second : nullptr;
}

bool SettledLanes::is_final(const ports::HeldVoucher& held) const {
    return find_final(held) != nullptr;
}

bool SettledLanes::is_over(const ports::HeldVoucher& held) const {
    const auto* seen = find_final(held);
    return seen != nullptr && seen->over;
}

bool SettledLanes::is_release_final(const ports::HeldVoucher& held) const {
    const auto* seen = find_final(held);
    return seen != nullptr && seen->release_final;
}

void SettledLanes::observe(const ports::HeldVoucher& held, const ports::LaneState& lane, std::uint64_t head) {
    const std::pair key(held.signer, held.voucher.voucher.epoch);
    const auto use = use_of(held, lane);
    if (use == VoucherUse::owed) {
        seen_.erase(key);
        return;
    }
    auto& seen = seen_.try_emplace(key, Seen{held.total(), head}).first->second;
    if (seen.total != held.total()) seen = Seen{held.total(), head};
    seen.final = seen.final || head >= seen.since + finality_blocks_;
    seen.over = use == VoucherUse::over;
    if (seen.release_at != lane.release_at) {
        seen.release_at = lane.release_at;
        seen.requested_since = head;
    }
    seen.release_final = lane.release_at != UnixTime{} && head >= seen.requested_since + finality_blocks_;
}

Task<Result<UnsettledVouchers>> unsettled_vouchers(Context& context, Address payee, SettledLanes& settled) {
    auto held = co_await context.ledger.held_vouchers(payee);
    if (!held) co_return forward_error(held);
    UnsettledVouchers unsettled;
    if (held->empty()) co_return unsettled;
    auto head = co_await context.chain.head();
    if (!head) co_return forward_error(head);
    std::size_t failures = 0;
    for (const auto& voucher : *held) {
        if (settled.is_over(voucher)) continue;
        auto found = co_await look_at(context, payee, voucher, settled, head->number, unsettled);
        if (found) {
            failures = 0;
            continue;
        }
        log::warn("{}", found.error().in("looking at payer " + voucher.signer.hex0x()).message);
        if (!unsettled.failure) unsettled.failure = found.error();
        if (++failures == kMostFailures) break;
    }
    co_return unsettled;
}

Task<Result<SettleResult>> settle_vouchers(Context& context, Wallet& wallet, Address payee,
                                           std::vector<UnsettledVoucher> vouchers) {
    SettleResult result;
    if (vouchers.empty()) co_return result;
    auto terms = co_await context.chain.terms();
    if (!terms) co_return forward_error(terms);
    // The contract takes plain vouchers and those with ticks in calls of their own.
    auto first = vouchers.begin();
    auto end_of_kind = std::stable_partition(first, vouchers.end(), std::not_fn(has_ticks));
    Result<> outcome;
    while (first != vouchers.end()) {
        if (first == end_of_kind) end_of_kind = vouchers.end();
        const auto last = first + std::min(kBatch, end_of_kind - first);
        std::vector<UnsettledVoucher> batch(first, last);
        first = last;
        auto settled = co_await settle_batch(context, wallet, payee, std::move(batch), terms->fee_bps, result);
        if (!settled && outcome) outcome = std::move(settled);  // the others may do better
    }
    if (!outcome) co_return forward_error(outcome);
    co_return result;
}

}  // namespace myst::node
