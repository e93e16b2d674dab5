// What a service costs: a price for data and a price for time, and the exact arithmetic between bytes and money.
#pragma once

#include <cstdint>
#include <optional>

#include "myst/base/amount.hpp"
#include "myst/base/clock.hpp"

namespace myst::pay {

/// Price of a session. Both parts are owed: data moved and time connected.
struct Tariff {
    Amount per_gib;   ///< token units per 2^30 bytes of inner IP packets, both directions together
    Amount per_hour;  ///< token units per 3600 s
    auto operator<=>(const Tariff&) const = default;
};

/// What 1 GiB within 1 hour costs: the rate at which offers are compared. None if it exceeds 96 bits.
[[nodiscard]] inline std::optional<Amount> reference_price(const Tariff& tariff) {
    return tariff.per_gib.plus(tariff.per_hour);
}

inline constexpr std::uint64_t kBytesPerGib = std::uint64_t{1} << 30;
/// By how many bytes the two meters of a session may differ, at least. A provider meters before its last queue and a
/// consumer behind it: a flow that starts fast loses there once as much as the queue holds, 500 packets (0.7 MB).
inline constexpr std::uint64_t kMeterTolerance = std::uint64_t{1} << 20;
inline constexpr std::uint64_t kUnlimitedBytes = ~std::uint64_t{0};

/// What `bytes` and `connected` cost; each part rounds up, and the sum saturates at the largest amount.
[[nodiscard]] Amount cost_of(const Tariff& tariff, std::uint64_t bytes, milliseconds connected);

/// The most bytes that `money` covers besides the time: the largest b with cost_of(tariff, b, connected) <= money.
/// Zero if the time alone costs more; kUnlimitedBytes if data is free and the time is covered.
[[nodiscard]] std::uint64_t bytes_covered(const Tariff& tariff, Amount money, milliseconds connected);

}  // namespace myst::pay
