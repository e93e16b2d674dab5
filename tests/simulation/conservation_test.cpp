// Deposit = paid + refundable, whatever is done to the contract in whatever order.
#include <gtest/gtest.h>

#include <cstdlib>

#include "lanes_model.hpp"
#include "myst/pay/payee.hpp"
#include "random.hpp"

namespace myst::sim {
namespace {

constexpr std::uint64_t kSequences = 2'000;
constexpr std::uint64_t kSteps = 25;
constexpr seconds kWindow{3'600};

std::uint64_t sequences() {
    const char* text = std::getenv("MYST_SIMULATION_SEEDS");
    return std::max(kSequences, text != nullptr ? parse_u64(text).value_or(0) : 0);
}

/// One payer, two providers, and every operation of the contract at any time.
class Conservation {
public:
    explicit Conservation(Signatures& signatures, std::uint64_t seed)
        : signatures_(signatures), random_(seed), contract_(signatures, random_.below(101), kWindow) {}

    std::string run() {
        for (std::uint64_t i = 0; i < kSteps; ++i) {
            step();
            auto wrong = contract_.imbalance();
            if (wrong.empty()) wrong = wrong_payment_;
            if (!wrong.empty()) return wrong;
        }
        return {};
    }
    [[nodiscard]] Amount spent() const { return contract_.spent(payer()); }
    [[nodiscard]] Amount withdrawn() const { return contract_.withdrawn(payer()); }

private:
    [[nodiscard]] Address payer() const { return signatures_.payer().address(); }

    void step() {
        const auto& provider = random_.chance(500) ? kProvider : kRival;
        const Amount amount(100 * random_.between(0, 8));
        now_ += seconds(random_.below(2'000));
        switch (random_.below(10)) {
            case 0: return contract_.deposit(payer(), amount);
            case 1: std::ignore = contract_.request_exit(payer(), amount, now_); return;
            case 2: std::ignore = contract_.withdraw(payer(), now_); return;
            case 3: std::ignore = contract_.request_release(payer(), provider, now_); return;
            case 4: std::ignore = contract_.release(payer(), payer(), provider, now_); return;
            case 5:
                if (random_.chance(200)) std::ignore = contract_.release(provider, payer(), provider, now_);
                return;
            case 6:
            case 7: return settle_ticks(provider, amount);
            default: return settle(provider, amount);
        }
    }

    /// Of any epoch, with any reservation.
    codec::Voucher any_voucher(const Address& provider, Amount total) {
        const auto lane = contract_.lane(payer(), provider);
        const auto epoch = static_cast<std::uint32_t>(random_.chance(850) ? lane.epoch : random_.below(3));
        return {provider, epoch % 8, total, total.plus_saturating(Amount(100 * random_.below(4)))};
    }

    pay::PayeeSession session(const Address& provider) const {
        pay::PayeeTerms terms;
        terms.risk_limit = Amount::max();
        const auto lane = contract_.lane(payer(), provider);
        return {terms, payer(), provider, lane.epoch, lane.paid};
    }

    pay::Coverage coverage(const Address& provider) const {
        const auto lane = contract_.lane(payer(), provider);
        return {lane.cap, contract_.account(payer()).free, lane.epoch, false};
    }

    void settle(const Address& provider, Amount total) {
        auto voucher = signatures_.sign(any_voucher(provider, total));
        if (random_.chance(100)) voucher.voucher.cap = Amount(5'000);
        const auto verdict = session(provider).examine(voucher, signatures_.recover(voucher), coverage(provider));
        const auto before = contract_.lane(payer(), provider).paid;
        judge(provider, verdict, total, before, contract_.settle(provider, {codec::settle_item(voucher)}));
    }

    /// Redeems a tick of a chain, of which the word or the index may be wrong.
    void settle_ticks(const Address& provider, Amount total) {
        auto terms = any_voucher(provider, total);
        const auto count = static_cast<std::uint16_t>(random_.between(1, random_.chance(50) ? codec::kMaxTicks : 6));
        const std::uint64_t value = random_.below(20);
        if (random_.chance(900)) terms.cap = std::max(terms.cap, total.plus_saturating(Amount(value * count)));
        auto chain = pay::TickPayer::begin(signatures_.domain(), terms, value, count, random_bytes<Hash32>(random_));
        if (!chain) return;
        const codec::SignedTickVoucher voucher{chain->voucher(), signatures_.payer().sign(codec::tick_voucher_digest(
                                                                     signatures_.domain(), chain->voucher()))};
        codec::Tick tick{0, chain->voucher().anchor};
        for (auto left = random_.below(count + 1U); left > 0; --left) tick = *chain->next();
        const auto revealed = *codec::owed_after(chain->voucher(), tick.index);
        if (random_.chance(100)) ++tick.index;
        if (random_.chance(100)) tick.word.bytes[31] ^= 1;
        auto rules = session(provider);
        auto verdict = rules.examine(voucher, signatures_.recover(voucher), coverage(provider));
        if (verdict && tick != codec::Tick{0, chain->voucher().anchor}) {
            rules.begin_ticks(signatures_.domain(), voucher);
            verdict = rules.examine(tick, coverage(provider));
        }
        const auto before = contract_.lane(payer(), provider).paid;
        const auto item = codec::settle_ticks_item(voucher, tick);
        judge(provider, verdict, revealed, before, contract_.settle_ticks(provider, {item}));
    }

    /// What the payment rules accept must be paid in full, and nothing of what they refuse but for want of cover.
    void judge(const Address& provider, const tl::expected<pay::Verdict, pay::RefuseCode>& verdict, Amount total,
               Amount before, Amount paid) {
        if (verdict && *verdict == pay::Verdict::store && paid != total.minus_saturating(before)) {
            wrong_payment_ = "an accepted payment was not paid in full";
        }
        if (!verdict && verdict.error() != pay::RefuseCode::not_covered && !paid.is_zero()) {
            wrong_payment_ = "a payment was made that the payment rules refuse";
        }
        if (contract_.lane(payer(), provider).paid > std::max(before, total)) {
            wrong_payment_ = "more was paid than was signed";
        }
    }

    Signatures& signatures_;
    Random random_;
    LanesModel contract_;
    UnixTime now_{seconds(1'700'000'000)};
    std::string wrong_payment_;
};

TEST(Conservation, DepositsArePaidOrRefundableAfterAnySequence) {
    Signatures signatures;
    Amount spent;
    Amount withdrawn;
    for (std::uint64_t seed = 1; seed <= sequences(); ++seed) {
        Conservation conservation(signatures, seed);
        const auto wrong = conservation.run();
        ASSERT_EQ(wrong, "") << "sequence " << seed;
        spent = spent.plus_saturating(conservation.spent());
        withdrawn = withdrawn.plus_saturating(conservation.withdrawn());
    }
    EXPECT_GE(spent, Amount(100 * kSequences)) << "hardly anything was paid";
    EXPECT_GE(withdrawn, Amount(10 * kSequences)) << "hardly anything was withdrawn";
}

}  // namespace
}  // namespace myst::sim
