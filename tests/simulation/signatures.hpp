// The keys and addresses of a simulation, and real signatures over real vouchers.
#pragma once

#include <map>

#include "myst/codec/tick_voucher.hpp"

namespace myst::sim {

/// Signs and recovers as the product does. Each signature is looked at once; later questions are answered from memory,
/// which is a pure function's right.
class Signatures {
public:
    Signatures();

    [[nodiscard]] const codec::LaneDomain& domain() const { return domain_; }
    [[nodiscard]] const crypto::PrivateKey& payer() const { return payer_; }
    [[nodiscard]] codec::SignedVoucher sign(const codec::Voucher& voucher) const {
        return codec::sign_voucher(domain_, voucher, payer_);
    }
    /// The zero address if there is no signer.
    [[nodiscard]] Address recover(const codec::SignedVoucher& voucher) { return recall(known_, voucher); }
    [[nodiscard]] Address recover(const codec::SignedTickVoucher& voucher) { return recall(known_ticks_, voucher); }

private:
    template <class SignedVoucher>
    Address recall(std::map<SignedVoucher, Address>& known, const SignedVoucher& voucher) {
        const auto found = known.find(voucher);
        if (found != known.end()) return found->second;
        return known.emplace(voucher, codec::recover_signer(domain_, voucher).value_or(Address{})).first->second;
    }

    codec::LaneDomain domain_;
    crypto::PrivateKey payer_;
    std::map<codec::SignedVoucher, Address> known_;
    std::map<codec::SignedTickVoucher, Address> known_ticks_;
};

/// A private key that is the same in every run.
[[nodiscard]] crypto::PrivateKey fixed_key(std::uint8_t number);

/// Whom the simulated consumer pays.
inline constexpr Address kProvider{{0xbb, 1}};
/// A second payee of the same deposit.
inline constexpr Address kRival{{0xcc, 2}};

}  // namespace myst::sim
