// Bindings of the lanes contract and its token: calldata of every function of the contract, and the decoding of what
// view functions return. Pure; the contracts' sources are in contracts/src.
#pragma once

#include <cstdint>
#include <vector>

#include "myst/codec/permit.hpp"
#include "myst/codec/tick_voucher.hpp"
#include "myst/ports/chain.hpp"

namespace myst::chain {

/// A signed EIP-2612 permit for the lanes contract, for the amount of the call it travels with.
struct SignedPermit {
    Uint256 deadline;  ///< Unix seconds, as signed
    crypto::CompactSignature signature;
};

/// A tick voucher and the newest tick that is known of it.
struct TickClaim {
    codec::SignedTickVoucher voucher;
    codec::Tick newest;
};

/// Calldata. Amounts are in the token's smallest unit; who may call what, and the errors, are in ILanes.sol.
namespace call {

[[nodiscard]] Bytes deposit(const Address& signer, Amount amount);
[[nodiscard]] Bytes deposit_with_permit(const Address& signer, Amount amount, const SignedPermit& permit);
/// Redeems vouchers that all name `provider`; a voucher for another provider would be skipped by the contract.
[[nodiscard]] Bytes settle(const Address& provider, const std::vector<codec::SignedVoucher>& vouchers);
/// Likewise for vouchers with ticks.
[[nodiscard]] Bytes settle_ticks(const Address& provider, const std::vector<TickClaim>& claims);
[[nodiscard]] Bytes request_release(const Address& signer, const Address& provider);
[[nodiscard]] Bytes release(const Address& signer, const Address& provider);
/// Amount::max() stands for all that is free.
[[nodiscard]] Bytes request_exit(const Address& signer, Amount amount);
[[nodiscard]] Bytes withdraw(const Address& signer, const Address& to);
[[nodiscard]] Bytes set_owner(const Address& signer, const Address& owner, const crypto::CompactSignature& signature);
[[nodiscard]] Bytes register_provider(const NodeKey& node_key, Amount stake);
[[nodiscard]] Bytes register_with_permit(const NodeKey& node_key, Amount stake, const SignedPermit& permit);
[[nodiscard]] Bytes request_unregister();
[[nodiscard]] Bytes unregister();

[[nodiscard]] Bytes accounts(const Address& signer);
[[nodiscard]] Bytes owners(const Address& signer);
[[nodiscard]] Bytes lanes(const Address& signer, const Address& provider);
[[nodiscard]] Bytes providers(const Address& provider);
[[nodiscard]] Bytes fee_bps();
[[nodiscard]] Bytes window();
[[nodiscard]] Bytes min_stake();
[[nodiscard]] Bytes token();

/// Of the token.
[[nodiscard]] Bytes balance_of(const Address& holder);
[[nodiscard]] Bytes nonces(const Address& owner);
[[nodiscard]] Bytes domain_separator();
[[nodiscard]] Bytes approve(const Address& spender, Amount amount);

}  // namespace call

/// Return values. Strict: a wrong length, unused bits that are set and numbers out of range are invalid_data.
namespace view {

[[nodiscard]] Result<ports::AccountState> account(BytesView returned);
[[nodiscard]] Result<ports::LaneState> lane(BytesView returned);
[[nodiscard]] Result<ports::ProviderState> provider(BytesView returned);
[[nodiscard]] Result<Address> address(BytesView returned);
[[nodiscard]] Result<Amount> amount(BytesView returned);
[[nodiscard]] Result<Uint256> uint(BytesView returned);
/// A token balance; one that needs more than 96 bits counts as Amount::max(), as no call could use more.
[[nodiscard]] Result<Amount> balance(BytesView returned);
[[nodiscard]] Result<std::uint64_t> number(BytesView returned);
[[nodiscard]] Result<Hash32> word(BytesView returned);

}  // namespace view

/// What a reverted call says: the text of Error(string), the number of Panic(uint256), the name of an error of our
/// contracts, or the selector in hex.
[[nodiscard]] std::string revert_reason(BytesView returned);

}  // namespace myst::chain
