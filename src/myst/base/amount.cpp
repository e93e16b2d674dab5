#include "myst/base/amount.hpp"

#include <algorithm>

namespace myst {
namespace {

constexpr Uint128 kUnitsPerToken = 1'000'000'000'000'000'000U;
constexpr std::size_t kTokenDecimals = 18;

/// Strict decimal up to `limit` inclusive.
Result<Uint128> parse_decimal(std::string_view text, Uint128 limit) {
    if (text.empty()) return fail(ErrorCode::invalid_argument, "expected a decimal number, got nothing");
    if (text.size() > 1 && text.front() == '0') {
        return fail(ErrorCode::invalid_argument, "a number must not begin with 0");
    }
    Uint128 value = 0;
    for (char c : text) {
        if (c < '0' || c > '9') return fail(ErrorCode::invalid_argument, "expected decimal digits only");
        const auto digit = static_cast<Uint128>(c - '0');
        if (value > (limit - digit) / 10) return fail(ErrorCode::invalid_argument, "the number is too large");
        value = value * 10 + digit;
    }
    return value;
}

std::string format_decimal(Uint128 value) {
    std::string text;
    do {
        text.push_back(static_cast<char>('0' + static_cast<int>(value % 10)));
        value /= 10;
    } while (value != 0);
    std::reverse(text.begin(), text.end());
    return text;
}

}  // namespace

Result<Amount> Amount::parse(std::string_view decimal) {
    auto value = parse_decimal(decimal, max().units_);
    if (!value) return forward_error(value);
    return Amount(*value, Raw{});
}

std::string Amount::to_string() const {
    return format_decimal(units_);
}

Result<Amount> parse_tokens(std::string_view text) {
    const auto point = text.find('.');
    const auto whole_text = text.substr(0, point);
    std::string fraction_text(point == std::string_view::npos ? std::string_view{} : text.substr(point + 1));
    if (point != std::string_view::npos && fraction_text.empty()) {
        return fail(ErrorCode::invalid_argument, "digits are missing after the decimal point");
    }
    if (fraction_text.size() > kTokenDecimals) {
        return fail(ErrorCode::invalid_argument, "a token has at most 18 decimals");
    }
    if (!std::all_of(fraction_text.begin(), fraction_text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        return fail(ErrorCode::invalid_argument, "expected decimal digits only");
    }
    fraction_text.resize(kTokenDecimals, '0');
    auto whole = parse_decimal(whole_text, Amount::max().units() / kUnitsPerToken);
    if (!whole) return forward_error(whole);
    Uint128 fraction = 0;
    for (char c : fraction_text) fraction = fraction * 10 + static_cast<Uint128>(c - '0');
    const auto amount = Amount::from_wide(*whole * kUnitsPerToken + fraction);
    if (!amount) return fail(ErrorCode::invalid_argument, "the amount is too large");
    return *amount;
}

std::string format_tokens(Amount amount) {
    std::string text = format_decimal(amount.units() / kUnitsPerToken);
    std::string fraction = format_decimal(amount.units() % kUnitsPerToken);
    fraction.insert(0, kTokenDecimals - fraction.size(), '0');
    fraction.erase(fraction.find_last_not_of('0') + 1);
    return fraction.empty() ? text : text + "." + fraction;
}

Result<std::uint64_t> parse_u64(std::string_view decimal) {
    auto value = parse_decimal(decimal, ~std::uint64_t{0});
    if (!value) return forward_error(value);
    return static_cast<std::uint64_t>(*value);
}

}  // namespace myst
