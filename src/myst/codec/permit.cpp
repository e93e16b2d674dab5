#include "myst/codec/permit.hpp"

#include "myst/codec/eip712.hpp"

namespace myst::codec {

Hash32 permit_digest(const Hash32& token_domain_separator, const Permit& permit) {
    const auto hash =
        eip712::StructHasher("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)")
            .address(permit.owner)
            .address(permit.spender)
            .uint(permit.value)
            .uint(permit.nonce)
            .uint(permit.deadline)
            .hash();
    return eip712::digest(token_domain_separator, hash);
}

}  // namespace myst::codec
