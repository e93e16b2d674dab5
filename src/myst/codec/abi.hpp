// Contract ABI: calls, return values and event data, for the types our contracts use.
#pragma once

#include <cstdint>
#include <string_view>
#include <variant>
#include <vector>

#include "myst/base/amount.hpp"
#include "myst/base/bytes.hpp"
#include "myst/base/uint256.hpp"

namespace myst::codec::abi {

/// First four bytes of Keccak-256 of the signature text, e.g. "transfer(address,uint256)".
using Selector = FixedBytes<4, struct SelectorTag>;
[[nodiscard]] Selector selector(std::string_view signature);
/// Topic 0 of an event, e.g. "Transfer(address,address,uint256)".
[[nodiscard]] Hash32 event_topic(std::string_view signature);

/// Builds calldata or constructor arguments: static words in order, dynamic values in a tail, as the ABI
/// specification lays them out.
class Encoder {
public:
    Encoder& address(const Address& value);
    Encoder& word(const Hash32& value);
    Encoder& uint(const Uint256& value);
    Encoder& amount(Amount value);
    Encoder& boolean(bool value);
    /// `bytes` or `string`.
    Encoder& dynamic_bytes(BytesView value);
    /// A dynamic array whose elements are static tuples of `words_per_element` words, given flat.
    Encoder& static_array(const std::vector<Hash32>& words, std::size_t words_per_element);
    /// selector + head + tail.
    [[nodiscard]] Bytes call(std::string_view signature) const;
    /// head + tail.
    [[nodiscard]] Bytes finish() const;

private:
    struct Slot {
        Hash32 word;  ///< static value, or unused
        Bytes tail;   ///< encoded dynamic value
        bool dynamic = false;
    };
    std::vector<Slot> slots_;
};

/// Reads return values or event data. Every accessor checks bounds and the unused bits of a word; after a failure
/// the decoder must not be used further.
class Decoder {
public:
    explicit Decoder(BytesView data) : data_(data) {}
    [[nodiscard]] Result<Address> address();
    [[nodiscard]] Result<Hash32> word();
    [[nodiscard]] Result<Uint256> uint();
    /// A uint96; more bits are invalid_data.
    [[nodiscard]] Result<Amount> amount();
    /// An unsigned integer of at most 64 bits.
    [[nodiscard]] Result<std::uint64_t> u64();
    [[nodiscard]] Result<bool> boolean();
    [[nodiscard]] Result<Bytes> dynamic_bytes();
    /// uint256[] / bytes32[]; at most `max_length` elements.
    [[nodiscard]] Result<std::vector<Hash32>> word_array(std::size_t max_length);

private:
    BytesView data_;
    std::size_t position_ = 0;
};

/// A word as big-endian integer, and back.
[[nodiscard]] Uint256 to_uint(const Hash32& word);
[[nodiscard]] Hash32 to_word(const Uint256& value);
/// An address left-padded to a word, as topics carry it; from_topic refuses nonzero padding.
[[nodiscard]] Hash32 address_word(const Address& address);
[[nodiscard]] Result<Address> address_from_word(const Hash32& word);

}  // namespace myst::codec::abi
