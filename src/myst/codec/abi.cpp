#include "myst/codec/abi.hpp"

#include <algorithm>

#include "myst/base/check.hpp"
#include "myst/crypto/keccak.hpp"

namespace myst::codec::abi {
namespace {

constexpr std::size_t kWord = 32;

std::size_t padded(std::size_t length) {
    return (length + kWord - 1) / kWord * kWord;
}

void append(Bytes& out, BytesView bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
}

Hash32 small_word(std::uint64_t value) {
    Hash32 word;
    for (std::size_t i = 0; i < 8; ++i) word.bytes[kWord - 1 - i] = static_cast<std::uint8_t>(value >> (8 * i));
    return word;
}

bool leading_zeros(const Hash32& word, std::size_t count) {
    return std::all_of(word.bytes.begin(), word.bytes.begin() + static_cast<std::ptrdiff_t>(count),
                       [](std::uint8_t byte) { return byte == 0; });
}

std::uint64_t low64(const Hash32& word) {
    std::uint64_t value = 0;
    for (std::size_t i = kWord - 8; i < kWord; ++i) value = value << 8 | word.bytes[i];
    return value;
}

tl::unexpected<Error> bad(const char* what) {
    return fail(ErrorCode::invalid_data, std::string("contract data: ") + what);
}

Result<Hash32> word_at(BytesView data, std::uint64_t position) {
    if (position > data.size() || data.size() - position < kWord) return bad("it ends too early");
    return *Hash32::from(data.subspan(position, kWord));
}

/// A word that counts bytes or elements of `data`, so that it cannot exceed its size.
Result<std::size_t> size_at(BytesView data, std::uint64_t position) {
    auto word = word_at(data, position);
    if (!word) return forward_error(word);
    if (!leading_zeros(*word, kWord - 8) || low64(*word) > data.size()) return bad("a length or offset is too large");
    return static_cast<std::size_t>(low64(*word));
}

}  // namespace

Selector selector(std::string_view signature) {
    const auto hash = crypto::keccak256(as_bytes(signature));
    return *Selector::from(hash.view().first(Selector::kSize));
}

Hash32 event_topic(std::string_view signature) {
    return crypto::keccak256(as_bytes(signature));
}

Uint256 to_uint(const Hash32& word) {
    Uint256 value;
    boost::multiprecision::import_bits(value, word.bytes.begin(), word.bytes.end(), 8);
    return value;
}

Hash32 to_word(const Uint256& value) {
    std::array<std::uint8_t, kWord> digits{};
    const auto end = boost::multiprecision::export_bits(value, digits.begin(), 8);
    Hash32 word;
    std::copy_backward(digits.begin(), end, word.bytes.end());
    return word;
}

Hash32 address_word(const Address& address) {
    Hash32 word;
    std::copy(address.bytes.begin(), address.bytes.end(), word.bytes.begin() + kWord - Address::kSize);
    return word;
}

Result<Address> address_from_word(const Hash32& word) {
    constexpr std::size_t kPadding = kWord - Address::kSize;
    if (!leading_zeros(word, kPadding)) return bad("a word is not an address");
    return Address::from(word.view().subspan(kPadding));
}

Encoder& Encoder::address(const Address& value) {
    return word(address_word(value));
}

Encoder& Encoder::word(const Hash32& value) {
    slots_.push_back({value, {}, false});
    return *this;
}

Encoder& Encoder::uint(const Uint256& value) {
    return word(to_word(value));
}

Encoder& Encoder::amount(Amount value) {
    Hash32 encoded = small_word(static_cast<std::uint64_t>(value.units()));
    const auto high = static_cast<std::uint32_t>(value.units() >> 64);
    for (std::size_t i = 0; i < 4; ++i) encoded.bytes[kWord - 9 - i] = static_cast<std::uint8_t>(high >> (8 * i));
    return word(encoded);
}

Encoder& Encoder::boolean(bool value) {
    return word(small_word(value ? 1 : 0));
}

Encoder& Encoder::dynamic_bytes(BytesView value) {
    Bytes tail;
    tail.reserve(kWord + padded(value.size()));
    append(tail, small_word(value.size()).bytes);
    append(tail, value);
    tail.resize(kWord + padded(value.size()));
    slots_.push_back({{}, std::move(tail), true});
    return *this;
}

Encoder& Encoder::static_array(const std::vector<Hash32>& words, std::size_t words_per_element) {
    CHECK(words_per_element > 0 && words.size() % words_per_element == 0);
    Bytes tail;
    tail.reserve(kWord * (words.size() + 1));
    append(tail, small_word(words.size() / words_per_element).bytes);
    for (const auto& each : words) append(tail, each.bytes);
    slots_.push_back({{}, std::move(tail), true});
    return *this;
}

Bytes Encoder::finish() const {
    Bytes out;
    std::size_t offset = slots_.size() * kWord;
    for (const auto& slot : slots_) {
        append(out, slot.dynamic ? small_word(offset).bytes : slot.word.bytes);
        offset += slot.tail.size();
    }
    for (const auto& slot : slots_) append(out, slot.tail);
    return out;
}

Bytes Encoder::call(std::string_view signature) const {
    const auto id = selector(signature);
    Bytes out(id.bytes.begin(), id.bytes.end());
    append(out, finish());
    return out;
}

Result<Hash32> Decoder::word() {
    auto word = word_at(data_, position_);
    if (word) position_ += kWord;
    return word;
}

Result<Address> Decoder::address() {
    auto value = word();
    if (!value) return forward_error(value);
    return address_from_word(*value);
}

Result<Uint256> Decoder::uint() {
    auto value = word();
    if (!value) return forward_error(value);
    return to_uint(*value);
}

Result<Amount> Decoder::amount() {
    auto value = word();
    if (!value) return forward_error(value);
    if (!leading_zeros(*value, kWord - 12)) return bad("an amount has more than 96 bits");
    std::uint32_t high = 0;
    for (std::size_t i = kWord - 12; i < kWord - 8; ++i) high = high << 8 | value->bytes[i];
    return *Amount::from_wide(static_cast<Uint128>(high) << 64 | low64(*value));
}

Result<std::uint64_t> Decoder::u64() {
    auto value = word();
    if (!value) return forward_error(value);
    if (!leading_zeros(*value, kWord - 8)) return bad("a number has more than 64 bits");
    return low64(*value);
}

Result<bool> Decoder::boolean() {
    auto value = u64();
    if (!value) return forward_error(value);
    if (*value > 1) return bad("a truth value is neither 0 nor 1");
    return *value == 1;
}

Result<Bytes> Decoder::dynamic_bytes() {
    auto offset = size_at(data_, position_);
    if (!offset) return forward_error(offset);
    auto length = size_at(data_, *offset);
    if (!length) return forward_error(length);
    const auto content = data_.subspan(*offset + kWord);
    if (content.size() < padded(*length)) return bad("a byte string ends too early");
    const auto padding = content.subspan(*length, padded(*length) - *length);
    if (std::any_of(padding.begin(), padding.end(), [](std::uint8_t byte) { return byte != 0; })) {
        return bad("the padding of a byte string is not zero");
    }
    position_ += kWord;
    return Bytes(content.begin(), content.begin() + static_cast<std::ptrdiff_t>(*length));
}

Result<std::vector<Hash32>> Decoder::word_array(std::size_t max_length) {
    auto offset = size_at(data_, position_);
    if (!offset) return forward_error(offset);
    auto length = size_at(data_, *offset);
    if (!length) return forward_error(length);
    if (*length > max_length) return bad("an array is longer than allowed");
    const auto content = data_.subspan(*offset + kWord);
    if (content.size() / kWord < *length) return bad("an array ends too early");
    std::vector<Hash32> words;
    words.reserve(*length);
    for (std::size_t i = 0; i < *length; ++i) words.push_back(*Hash32::from(content.subspan(i * kWord, kWord)));
    position_ += kWord;
    return words;
}

}  // namespace myst::codec::abi
