// Money. Token amounts are unsigned integers of 96 bits, as the lanes contract stores them, in the token's
// smallest unit; every operation that could leave the range says so. No floating point.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "myst/base/error.hpp"

namespace myst {

/// Wide enough for the product of two 64-bit numbers; an extension of GCC and Clang.
__extension__ using Uint128 = unsigned __int128;

/// An amount of the payment token in its smallest unit (10^-18 of a token), 0 … 2^96 − 1.
class Amount {
public:
    constexpr Amount() = default;
    constexpr explicit Amount(std::uint64_t units) : units_(units) {}

    static constexpr Amount max() { return Amount((Uint128{1} << 96) - 1, Raw{}); }
    /// None if the value needs more than 96 bits.
    static constexpr std::optional<Amount> from_wide(Uint128 units) {
        if (units >> 96 != 0) return std::nullopt;
        return Amount(units, Raw{});
    }
    /// Decimal digits only: no sign, blank, exponent, or leading zero (except "0").
    [[nodiscard]] static Result<Amount> parse(std::string_view decimal);

    [[nodiscard]] constexpr Uint128 units() const { return units_; }
    [[nodiscard]] std::string to_string() const;
    [[nodiscard]] constexpr bool is_zero() const { return units_ == 0; }

    /// None on overflow of 96 bits.
    [[nodiscard]] constexpr std::optional<Amount> plus(Amount other) const { return from_wide(units_ + other.units_); }
    /// None if `other` is larger.
    [[nodiscard]] constexpr std::optional<Amount> minus(Amount other) const {
        if (other.units_ > units_) return std::nullopt;
        return Amount(units_ - other.units_, Raw{});
    }
    /// The sum, or the largest amount if it does not fit. For limits, never for balances.
    [[nodiscard]] constexpr Amount plus_saturating(Amount other) const { return plus(other).value_or(max()); }
    /// The difference, or zero if `other` is larger. For "how much is left".
    [[nodiscard]] constexpr Amount minus_saturating(Amount other) const { return minus(other).value_or(Amount{}); }

    constexpr auto operator<=>(const Amount&) const = default;

private:
    struct Raw {};
    constexpr Amount(Uint128 units, Raw) : units_(units) {}
    Uint128 units_ = 0;
};

/// A whole number of tokens as units ("2.5" → 2500000000000000000): at most 18 decimals, no sign or exponent.
[[nodiscard]] Result<Amount> parse_tokens(std::string_view text);
/// Units as tokens with up to 18 decimals, trailing zeros removed; for people.
[[nodiscard]] std::string format_tokens(Amount amount);

/// Decimal digits of a 64-bit number; the same strictness as Amount::parse.
[[nodiscard]] Result<std::uint64_t> parse_u64(std::string_view decimal);

}  // namespace myst
