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
        switch (random_.below(8)) {
            case 0: return contract_.deposit(payer(), amount);
            case 1: std::ignore = contract_.request_exit(payer(), amount, now_); return;
            case 2: std::ignore = contract_.withdraw(payer(), now_); return;
            case 3: std::ignore = contract_.request_release(payer(), provider, now_); return;
            case 4: std::ignore = contract_.release(payer(), payer(), provider, now_); return;
            case 5:
                if (random_.chance(200)) std::ignore = contract_.release(provider, payer(), provider, now_);
                return;
            default: return settle(provider, amount);
        }
    }

    /// Redeems a voucher of any epoch and size; what the payment rules accept at this moment must be paid in full.
    void settle(const Address& provider, Amount total) {
        const auto lane = contract_.lane(payer(), provider);
        const auto account = contract_.account(payer());
        const auto epoch = static_cast<std::uint32_t>(random_.chance(850) ? lane.epoch : random_.below(3));
        const Amount cap = total.plus_saturating(Amount(100 * random_.below(4)));
        auto voucher = signatures_.sign({provider, epoch % 8, total, cap});
        if (random_.chance(100)) voucher.voucher.cap = Amount(5'000);
        pay::PayeeTerms terms;
        terms.risk_limit = Amount::max();
        const pay::PayeeSession session(terms, payer(), provider, lane.epoch, lane.paid);
        const auto verdict =
            session.examine(voucher, signatures_.recover(voucher), {lane.cap, account.free, lane.epoch, false});
        const auto paid = contract_.settle(provider, {codec::settle_item(voucher)});
        if (verdict && *verdict == pay::Verdict::store && paid != total.minus_saturating(lane.paid)) {
            wrong_payment_ = "an accepted voucher was not paid in full";
        }
        if (!verdict && verdict.error() != pay::RefuseCode::not_covered && !paid.is_zero()) {
            wrong_payment_ = "a voucher was paid that the payment rules refuse";
        }
        if (contract_.lane(payer(), provider).paid > std::max(lane.paid, total)) {
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
