// What a consumer signs: vouchers that pay providers through the lanes contract, and the other structs of the same
// EIP-712 domain.
#pragma once

#include <array>
#include <cstdint>

#include "myst/base/amount.hpp"
#include "myst/base/bytes.hpp"
#include "myst/base/clock.hpp"
#include "myst/crypto/secp256k1.hpp"

namespace myst::codec {

/// A promise to one provider. `total` is everything paid on the lane so far and only grows within an epoch; `cap` is
/// how far the provider may reserve the payer's deposit.
struct Voucher {
    Address provider;
    std::uint32_t epoch = 0;  ///< 24 bits; rises when a lane is released
    Amount total;
    Amount cap;
    auto operator<=>(const Voucher&) const = default;
};

/// The largest epoch that a voucher can carry.
inline constexpr std::uint32_t kMaxEpoch = (1U << 24) - 1;

/// A voucher with the payer's signature; the payer's address follows from it.
struct SignedVoucher {
    Voucher voucher;
    crypto::CompactSignature signature;
    auto operator<=>(const SignedVoucher&) const = default;
};

/// EIP-712 domain of one deployed lanes contract ("Mysterium Lanes", version 1). Immutable; safe from any thread.
class LaneDomain {
public:
    LaneDomain(std::uint64_t chain_id, const Address& contract);
    [[nodiscard]] const Hash32& separator() const { return separator_; }

    /// Digest of Voucher(address provider,uint24 epoch,uint96 total,uint96 cap).
    [[nodiscard]] Hash32 voucher_digest(const Voucher& voucher) const;
    /// Digest of SetOwner(address owner): moves the right to withdraw to another account.
    [[nodiscard]] Hash32 set_owner_digest(const Address& owner) const;
    /// Digest of SessionRequest(bytes32 provider,bytes32 consumer,bytes32 tunnelKey,uint64 created): proves that the
    /// holder of a deposit asks for this session.
    [[nodiscard]] Hash32 session_request_digest(const NodeKey& provider, const NodeKey& consumer,
                                                const TunnelKey& tunnel_key, UnixTime created) const;

private:
    Hash32 separator_;
};

/// Signs a voucher whose epoch is at most kMaxEpoch.
[[nodiscard]] SignedVoucher sign_voucher(const LaneDomain& domain, const Voucher& voucher,
                                         const crypto::PrivateKey& key);
/// The payer. invalid_data if the epoch is too large or the signature is not one of secp256k1 with low s.
[[nodiscard]] Result<Address> recover_signer(const LaneDomain& domain, const SignedVoucher& signed_voucher);
/// The three words that the contract's settle() takes for one voucher: total ‖ cap ‖ epoch ‖ 40 zero bits, r, vs.
[[nodiscard]] std::array<Hash32, 3> settle_item(const SignedVoucher& signed_voucher);

}  // namespace myst::codec
