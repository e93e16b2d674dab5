// How amounts stand in chain.db.
#pragma once

#include "myst/base/amount.hpp"
#include "myst/base/bytes.hpp"

namespace myst::chain {

inline constexpr std::size_t kAmountBytes = 12;

[[nodiscard]] inline tl::unexpected<Error> damaged() {
    return fail(ErrorCode::invalid_data, "chain.db is damaged", "delete chain.db; it is built again from the chain");
}

/// Big-endian.
[[nodiscard]] inline Bytes amount_cell(Amount amount) {
    Bytes out(kAmountBytes);
    auto units = amount.units();
    for (auto i = kAmountBytes; i-- > 0; units >>= 8) out[i] = static_cast<std::uint8_t>(units & 0xff);
    return out;
}

[[nodiscard]] inline Result<Amount> amount_of(BytesView bytes) {
    if (bytes.size() != kAmountBytes) return damaged();
    Uint128 units = 0;
    for (const auto byte : bytes) units = units << 8 | byte;
    return *Amount::from_wide(units);
}

}  // namespace myst::chain
