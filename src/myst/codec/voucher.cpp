#include "myst/codec/voucher.hpp"

#include "myst/base/check.hpp"
#include "myst/codec/eip712.hpp"

namespace myst::codec {
namespace {

using eip712::StructHasher;
using eip712::type_hash;

/// Writes the low `count` bytes of `value`, most significant first, at `out`.
void write_bytes(std::uint8_t* out, std::size_t count, Uint128 value) {
    for (std::size_t i = 0; i < count; ++i) out[count - 1 - i] = static_cast<std::uint8_t>(value >> (8 * i));
}

}  // namespace

LaneDomain::LaneDomain(std::uint64_t chain_id, const Address& contract)
    : separator_(eip712::Domain{"Mysterium Lanes", "1", chain_id, contract}.separator()) {}

Hash32 LaneDomain::voucher_digest(const Voucher& voucher) const {
    static const Hash32 type = type_hash("Voucher(address provider,uint24 epoch,uint96 total,uint96 cap)");
    const auto hash = StructHasher(type)
                          .address(voucher.provider)
                          .u64(voucher.epoch)
                          .amount(voucher.total)
                          .amount(voucher.cap)
                          .hash();
    return eip712::digest(separator_, hash);
}

Hash32 LaneDomain::set_owner_digest(const Address& owner) const {
    static const Hash32 type = type_hash("SetOwner(address owner)");
    return eip712::digest(separator_, StructHasher(type).address(owner).hash());
}

Hash32 LaneDomain::session_request_digest(const NodeKey& provider, const NodeKey& consumer, const TunnelKey& tunnel_key,
                                          UnixTime created) const {
    static const Hash32 type =
        type_hash("SessionRequest(bytes32 provider,bytes32 consumer,bytes32 tunnelKey,uint64 created)");
    const auto hash = StructHasher(type)
                          .word({provider.bytes})
                          .word({consumer.bytes})
                          .word({tunnel_key.bytes})
                          .u64(to_unix_seconds(created))
                          .hash();
    return eip712::digest(separator_, hash);
}

SignedVoucher sign_voucher(const LaneDomain& domain, const Voucher& voucher, const crypto::PrivateKey& key) {
    CHECK(voucher.epoch <= kMaxEpoch);
    return {voucher, key.sign(domain.voucher_digest(voucher))};
}

Result<Address> recover_signer(const LaneDomain& domain, const SignedVoucher& signed_voucher) {
    if (signed_voucher.voucher.epoch > kMaxEpoch) {
        return fail(ErrorCode::invalid_data, "the epoch of a voucher has more than 24 bits");
    }
    return crypto::recover(domain.voucher_digest(signed_voucher.voucher), signed_voucher.signature);
}

std::array<Hash32, 3> settle_item(const SignedVoucher& signed_voucher) {
    const auto& [voucher, signature] = signed_voucher;
    CHECK(voucher.epoch <= kMaxEpoch);
    Hash32 packed;
    write_bytes(packed.bytes.data(), 12, voucher.total.units());
    write_bytes(packed.bytes.data() + 12, 12, voucher.cap.units());
    write_bytes(packed.bytes.data() + 24, 3, voucher.epoch);
    return {packed, signature.r, signature.vs};
}

}  // namespace myst::codec
