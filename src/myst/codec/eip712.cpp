#include "myst/codec/eip712.hpp"

#include "myst/codec/abi.hpp"
#include "myst/crypto/keccak.hpp"

namespace myst::codec::eip712 {
namespace {

constexpr std::size_t kWord = 32;
constexpr std::size_t kUsualWords = 8;

template <class Integer>
void write_big_endian(std::uint8_t* end, Integer value) {
    for (; value != 0; value >>= 8) *--end = static_cast<std::uint8_t>(value & 0xff);
}

}  // namespace

Hash32 type_hash(std::string_view type) {
    return crypto::keccak256(as_bytes(type));
}

Hash32 Domain::separator() const {
    return StructHasher("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
        .dynamic(as_bytes(name))
        .dynamic(as_bytes(version))
        .u64(chain_id)
        .address(verifying_contract)
        .hash();
}

StructHasher::StructHasher(const Hash32& type_hash) {
    words_.reserve(kUsualWords * kWord);
    word(type_hash);
}

StructHasher& StructHasher::address(const Address& value) {
    words_.resize(words_.size() + kWord - Address::kSize);
    words_.insert(words_.end(), value.bytes.begin(), value.bytes.end());
    return *this;
}

StructHasher& StructHasher::word(const Hash32& value) {
    words_.insert(words_.end(), value.bytes.begin(), value.bytes.end());
    return *this;
}

StructHasher& StructHasher::uint(const Uint256& value) {
    return word(abi::to_word(value));
}

StructHasher& StructHasher::u64(std::uint64_t value) {
    words_.resize(words_.size() + kWord);
    write_big_endian(words_.data() + words_.size(), value);
    return *this;
}

StructHasher& StructHasher::amount(Amount value) {
    words_.resize(words_.size() + kWord);
    write_big_endian(words_.data() + words_.size(), value.units());
    return *this;
}

StructHasher& StructHasher::dynamic(BytesView value) {
    return word(crypto::keccak256(value));
}

Hash32 StructHasher::hash() const {
    return crypto::keccak256(words_);
}

Hash32 digest(const Hash32& domain_separator, const Hash32& struct_hash) {
    std::array<std::uint8_t, 2 + 2 * kWord> buffer{0x19, 0x01};
    std::copy(domain_separator.bytes.begin(), domain_separator.bytes.end(), buffer.begin() + 2);
    std::copy(struct_hash.bytes.begin(), struct_hash.bytes.end(), buffer.begin() + 2 + kWord);
    return crypto::keccak256(buffer);
}

}  // namespace myst::codec::eip712
