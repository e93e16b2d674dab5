#include "myst/node/exit_payment.hpp"

namespace myst::node {

tl::expected<std::optional<ports::HeldVoucher>, pay::RefuseCode> judge(ExitSession& session, const pay::Frame& frame,
                                                                       const codec::LaneDomain& domain,
                                                                       const Address& payee) {
    auto& rules = session.payee;
    tl::expected<pay::Verdict, pay::RefuseCode> verdict = tl::unexpected(pay::RefuseCode::wrong_signer);
    ports::HeldVoucher proof;
    if (const auto* plain = std::get_if<pay::VoucherFrame>(&frame)) {
        const auto voucher = plain->with_provider(payee);
        const auto signer = codec::recover_signer(domain, voucher);
        if (signer) verdict = rules.examine(voucher, *signer, session.coverage);
        proof = {rules.signer(), voucher, session.id};
    } else if (const auto* begun = std::get_if<pay::TickVoucherFrame>(&frame)) {
        const auto voucher = begun->with_provider(payee);
        const auto signer = codec::recover_signer(domain, voucher);
        if (signer) verdict = rules.examine(voucher, *signer, session.coverage);
        proof = ports::HeldVoucher::of(rules.signer(), voucher, {0, voucher.tick_voucher.anchor}, session.id);
    } else if (const auto* next = std::get_if<pay::TickFrame>(&frame)) {
        verdict = rules.examine(next->tick, session.coverage);
        if (verdict) proof = ports::HeldVoucher::of(rules.signer(), *rules.tick_voucher(), next->tick, session.id);
    }
    if (!verdict) return tl::unexpected(verdict.error());
    if (*verdict == pay::Verdict::repeat) return std::nullopt;
    return proof;
}

void credit(ExitSession& session, const ports::HeldVoucher& proof, const codec::LaneDomain& domain) {
    const auto total = proof.total();
    // Another stream of the session may have brought more while this proof was being stored.
    if (total < session.payee.total()) return;
    if (total > session.payee.total()) ++session.vouchers;
    session.payee.credit(total);
    if (!proof.ticks) session.payee.end_ticks();
    if (proof.ticks && proof.ticks->newest.index == 0) session.payee.begin_ticks(domain, *proof.tick_voucher());
}

}  // namespace myst::node
