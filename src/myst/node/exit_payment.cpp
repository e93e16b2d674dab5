#include "myst/node/exit_payment.hpp"

#include "myst/pay/chunk_policy.hpp"

namespace myst::node {
namespace {

/// The signer of a voucher, recovered unless this frame's signature was found right just before.
template <class SignedVoucher>
std::optional<Address> signer_of(const ExitSession& session, const pay::Frame& frame, const codec::LaneDomain& domain,
                                 const SignedVoucher& voucher) {
    if (session.verified == frame) return session.payee.signer();
    const auto signer = codec::recover_signer(domain, voucher);
    if (!signer) return std::nullopt;
    return *signer;
}

}  // namespace

tl::expected<std::optional<ports::HeldVoucher>, pay::RefuseCode> judge(ExitSession& session, const pay::Frame& frame,
                                                                       const codec::LaneDomain& domain,
                                                                       const Address& payee) {
    auto& rules = session.payee;
    tl::expected<pay::Verdict, pay::RefuseCode> verdict = tl::unexpected(pay::RefuseCode::wrong_signer);
    ports::HeldVoucher proof;
    if (const auto* plain = std::get_if<pay::VoucherFrame>(&frame)) {
        const auto voucher = plain->with_provider(payee);
        const auto signer = signer_of(session, frame, domain, voucher);
        if (signer) verdict = rules.examine(voucher, *signer, session.coverage);
        proof = {rules.signer(), voucher, session.id};
    } else if (const auto* begun = std::get_if<pay::TickVoucherFrame>(&frame)) {
        const auto voucher = begun->with_provider(payee);
        const auto signer = signer_of(session, frame, domain, voucher);
        if (signer) verdict = rules.examine(voucher, *signer, session.coverage);
        proof = ports::HeldVoucher::of(rules.signer(), voucher, {0, voucher.tick_voucher.anchor}, session.id);
    } else if (const auto* next = std::get_if<pay::TickFrame>(&frame)) {
        verdict = rules.examine(next->tick, session.coverage);
        if (verdict) proof = ports::HeldVoucher::of(rules.signer(), *rules.tick_voucher(), next->tick, session.id);
    }
    if (!verdict) return tl::unexpected(verdict.error());
    if (!std::holds_alternative<pay::TickFrame>(frame)) session.verified = frame;
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

bool is_worth_a_frame(const ExitSession& session, Amount gained) {
    constexpr milliseconds kTime{20};
    const auto worth = pay::cost_of(session.payee.terms().tariff, pay::kLeastChunk / 2, kTime);
    return !gained.is_zero() && gained >= worth;
}

}  // namespace myst::node
