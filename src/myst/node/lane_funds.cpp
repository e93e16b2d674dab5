#include "myst/node/lane_funds.hpp"

namespace myst::node {

Task<Result<LaneFunds>> read_lane_funds(Context& context, Address payee, std::uint32_t epoch) {
    const auto signer = context.keys.signer()->address();
    auto lane = co_await context.chain.lane(signer, payee);
    if (!lane) co_return forward_error(lane);
    if (lane->epoch != epoch) {
        co_return fail(ErrorCode::unavailable, "provider and consumer see different epochs of the lane");
    }
    auto issued = co_await context.ledger.issued_vouchers(signer);
    if (!issued) co_return forward_error(issued);
    LaneFunds funds;
    funds.epoch = epoch;
    funds.drawn = lane->paid;
    Amount promised_elsewhere;
    for (const auto& proof : *issued) {
        const auto& held = proof.voucher.voucher;
        if (held.provider == payee) {
            if (held.epoch == epoch) {
                funds.issued = std::max(funds.issued, proof.total());
                funds.cap = std::max(funds.cap, held.cap);
            }
            continue;
        }
        auto other = co_await context.chain.lane(signer, held.provider);
        if (!other) co_return forward_error(other);
        if (held.epoch != other->epoch) continue;  // released: nothing can be drawn on it any more
        promised_elsewhere = promised_elsewhere.plus_saturating(held.cap.minus_saturating(other->cap));
    }
    // After the lanes: what a settlement in between has moved into one is then missing, not counted twice.
    auto account = co_await context.chain.account(signer);
    if (!account) co_return forward_error(account);
    const Amount reachable = lane->cap.plus_saturating(account->free.minus_saturating(promised_elsewhere));
    funds.spendable = reachable.minus_saturating(funds.issued);
    co_return funds;
}

}  // namespace myst::node
