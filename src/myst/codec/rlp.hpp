// Recursive Length Prefix (Ethereum yellow paper, appendix B), canonical form only.
#pragma once

#include <variant>
#include <vector>

#include "myst/base/bytes.hpp"
#include "myst/base/uint256.hpp"

namespace myst::codec::rlp {

/// A byte string or a list of items.
struct Item {
    std::variant<Bytes, std::vector<Item>> value;
    bool operator==(const Item&) const = default;
};

[[nodiscard]] Bytes encode(const Item& item);
/// Integer as the shortest big-endian string (zero is the empty string).
[[nodiscard]] Item integer(const Uint256& value);

enum class DecodeError { truncated, trailing_bytes, non_canonical, too_deep };
[[nodiscard]] std::string_view to_string(DecodeError error);
/// Decodes exactly one item that fills the whole input. Nesting beyond 64 lists is too_deep.
[[nodiscard]] tl::expected<Item, DecodeError> decode(BytesView input);

}  // namespace myst::codec::rlp
