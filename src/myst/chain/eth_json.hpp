// JSON forms of Ethereum values: quantities, byte strings, headers, logs. Strict and pure.
#pragma once

#include <cstdint>
#include <string>

#include <boost/json/value.hpp>

#include "myst/base/uint256.hpp"
#include "myst/chain/block_source.hpp"

namespace myst::chain {

/// "0x" and lower-case hex digits without leading zeros.
[[nodiscard]] std::string quantity(std::uint64_t value);

[[nodiscard]] Result<std::uint64_t> as_u64(const boost::json::value& value);
[[nodiscard]] Result<Uint256> as_uint256(const boost::json::value& value);
/// "0x…" of any even length.
[[nodiscard]] Result<Bytes> as_data(const boost::json::value& value);

/// "0x" and exactly the digits of this type.
template <class Fixed>
[[nodiscard]] Result<Fixed> as_fixed(const boost::json::value& value) {
    const auto* text = value.if_string();
    if (!text || !text->starts_with("0x")) return fail(ErrorCode::invalid_data, "expected 0x and hex digits");
    return Fixed::parse(std::string_view(*text));
}

/// A member that must exist; invalid_data names it otherwise.
[[nodiscard]] Result<const boost::json::value*> member(const boost::json::value& object, std::string_view name);

/// not_found for null, which is how endpoints say that they do not know the block.
[[nodiscard]] Result<BlockHeader> as_header(const boost::json::value& value);
[[nodiscard]] Result<Log> as_log(const boost::json::value& value);

/// Whether the bloom filter has the three bits of this address or topic.
[[nodiscard]] bool bloom_has(const Bloom& bloom, BytesView item);
/// Sets them.
void bloom_add(Bloom& bloom, BytesView item);

}  // namespace myst::chain
