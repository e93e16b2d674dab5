#include "myst/codec/transaction.hpp"

#include <algorithm>
#include <optional>

#include "myst/codec/abi.hpp"
#include "myst/codec/rlp.hpp"
#include "myst/crypto/keccak.hpp"

namespace myst::codec {
namespace {

constexpr std::uint8_t kType1559 = 0x02;
using Fields = std::vector<rlp::Item>;

rlp::Item bytes_item(BytesView bytes) {
    return {Bytes(bytes.begin(), bytes.end())};
}

rlp::Item integer_item(const Hash32& big_endian) {
    return rlp::integer(abi::to_uint(big_endian));
}

Fields fields_of(const Transaction1559& transaction) {
    return {rlp::integer(transaction.chain_id),
            rlp::integer(transaction.nonce),
            rlp::integer(transaction.max_priority_fee_per_gas),
            rlp::integer(transaction.max_fee_per_gas),
            rlp::integer(transaction.gas_limit),
            bytes_item(transaction.to.bytes),
            rlp::integer(transaction.value),
            bytes_item(transaction.data),
            rlp::Item{Fields{}}};  // the access list
}

Fields fields_of(const TransactionLegacy& transaction) {
    return {rlp::integer(transaction.nonce),  rlp::integer(transaction.gas_price), rlp::integer(transaction.gas_limit),
            bytes_item(transaction.to.bytes), rlp::integer(transaction.value),     bytes_item(transaction.data)};
}

Bytes envelope(Fields fields) {
    Bytes raw{kType1559};
    const auto body = rlp::encode({std::move(fields)});
    raw.insert(raw.end(), body.begin(), body.end());
    return raw;
}

SignedTransaction name(Bytes raw) {
    const auto hash = crypto::keccak256(raw);
    return {std::move(raw), hash};
}

std::optional<Uint256> integer_of(const rlp::Item& item) {
    const auto* bytes = std::get_if<Bytes>(&item.value);
    if (bytes == nullptr || bytes->size() > Hash32::kSize) return std::nullopt;
    Hash32 word;
    std::copy(bytes->begin(), bytes->end(), word.bytes.end() - static_cast<std::ptrdiff_t>(bytes->size()));
    return abi::to_uint(word);
}

std::optional<std::uint64_t> small_integer_of(const rlp::Item& item) {
    const auto value = integer_of(item);
    if (!value || (*value >> 64) != 0) return std::nullopt;
    return static_cast<std::uint64_t>(*value);
}

std::optional<Transaction1559> transaction_of(const Fields& fields) {
    constexpr std::size_t kSignedFields = 12;
    if (fields.size() != kSignedFields) return std::nullopt;
    const auto chain_id = small_integer_of(fields[0]);
    const auto nonce = small_integer_of(fields[1]);
    const auto priority = integer_of(fields[2]);
    const auto max_fee = integer_of(fields[3]);
    const auto gas_limit = small_integer_of(fields[4]);
    const auto* to = std::get_if<Bytes>(&fields[5].value);
    const auto value = integer_of(fields[6]);
    const auto* data = std::get_if<Bytes>(&fields[7].value);
    if (!chain_id || !nonce || !priority || !max_fee || !gas_limit || !to || !value || !data) return std::nullopt;
    const auto target = Address::from(*to);
    if (!target || fields[8] != rlp::Item{Fields{}}) return std::nullopt;
    return Transaction1559{*chain_id, *nonce, *priority, *max_fee, *gas_limit, *target, *value, *data};
}

}  // namespace

Hash32 signing_hash(const Transaction1559& transaction) {
    return crypto::keccak256(envelope(fields_of(transaction)));
}

Hash32 signing_hash(const TransactionLegacy& transaction) {
    auto fields = fields_of(transaction);
    // EIP-155 binds the signature to the chain by signing its id in place of v, r, s.
    fields.insert(fields.end(), {rlp::integer(transaction.chain_id), rlp::integer(0), rlp::integer(0)});
    return crypto::keccak256(rlp::encode({std::move(fields)}));
}

SignedTransaction sign(const Transaction1559& transaction, const crypto::PrivateKey& key) {
    const auto signature = key.sign(signing_hash(transaction));
    auto fields = fields_of(transaction);
    fields.insert(fields.end(), {rlp::integer(static_cast<unsigned>(signature.y_parity())), integer_item(signature.r),
                                 integer_item(signature.s())});
    return name(envelope(std::move(fields)));
}

SignedTransaction sign(const TransactionLegacy& transaction, const crypto::PrivateKey& key) {
    const auto signature = key.sign(signing_hash(transaction));
    const Uint256 v = Uint256(transaction.chain_id) * 2 + 35 + signature.y_parity();
    auto fields = fields_of(transaction);
    fields.insert(fields.end(), {rlp::integer(v), integer_item(signature.r), integer_item(signature.s())});
    return name(rlp::encode({std::move(fields)}));
}

Result<Transaction1559> decode_1559(BytesView raw) {
    constexpr std::string_view kNoTransaction = "the bytes are no signed transaction of type 2";
    if (raw.empty() || raw[0] != kType1559) return fail(ErrorCode::invalid_data, std::string(kNoTransaction));
    const auto item = rlp::decode(raw.subspan(1));
    const auto* fields = item ? std::get_if<Fields>(&item->value) : nullptr;
    const auto transaction = fields ? transaction_of(*fields) : std::nullopt;
    if (!transaction) return fail(ErrorCode::invalid_data, std::string(kNoTransaction));
    return *transaction;
}

}  // namespace myst::codec
