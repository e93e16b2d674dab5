#include "myst/pay/tariff.hpp"

#include <algorithm>

namespace myst::pay {
namespace {

constexpr std::uint64_t kMillisecondsPerHour = 3'600'000;

/// ceil(price * quantity / unit), saturating. price < 2^96 and quantity < 2^64, so the product is split to stay
/// within 128 bits.
Amount round_up(Amount price, std::uint64_t quantity, std::uint64_t unit) {
    const Uint128 whole_units = quantity / unit;
    const Uint128 rest = quantity % unit;  // < unit <= 2^32, so price * rest fits
    if (whole_units != 0 && price.units() > Amount::max().units() / whole_units) return Amount::max();
    const Uint128 fraction = (price.units() * rest + unit - 1) / unit;
    const auto whole = Amount::from_wide(price.units() * whole_units).value_or(Amount::max());
    return whole.plus_saturating(Amount::from_wide(fraction).value_or(Amount::max()));
}

}  // namespace

Amount cost_of(const Tariff& tariff, std::uint64_t bytes, milliseconds connected) {
    const auto elapsed = static_cast<std::uint64_t>(std::max<std::int64_t>(0, connected.count()));
    return round_up(tariff.per_gib, bytes, kBytesPerGib)
        .plus_saturating(round_up(tariff.per_hour, elapsed, kMillisecondsPerHour));
}

std::uint64_t bytes_covered(const Tariff& tariff, Amount money, milliseconds connected) {
    const auto for_data = money.minus(cost_of(tariff, 0, connected));
    if (!for_data) return 0;
    if (tariff.per_gib.is_zero()) return kUnlimitedBytes;
    // floor(money * 2^30 / price), with the product kept within 128 bits by dividing first.
    const Uint128 price = tariff.per_gib.units();
    const Uint128 whole = for_data->units() / price;
    const Uint128 rest = for_data->units() % price;
    if (whole >= (Uint128{1} << 33)) return kUnlimitedBytes;
    const Uint128 bytes = whole * kBytesPerGib + rest * kBytesPerGib / price;
    return static_cast<std::uint64_t>(std::min<Uint128>(bytes, kUnlimitedBytes - 1));
}

}  // namespace myst::pay
