#include "myst/wireguard/timestamp.hpp"

namespace myst::wireguard {

Timestamp to_timestamp(WallTime time) {
    // TAI64 counts from 2^62; ten leap seconds had passed by 1970, later ones are not counted (as every WireGuard
    // does).
    constexpr std::uint64_t kEpoch = (std::uint64_t{1} << 62) + 10;
    const auto whole = std::chrono::floor<seconds>(time);
    const auto second = kEpoch + static_cast<std::uint64_t>(whole.time_since_epoch().count());
    const auto nano = static_cast<std::uint32_t>((time - whole).count());
    Timestamp stamp{};
    for (std::size_t i = 0; i < 8; ++i) stamp[i] = static_cast<std::uint8_t>(second >> (56 - 8 * i));
    for (std::size_t i = 0; i < 4; ++i) stamp[8 + i] = static_cast<std::uint8_t>(nano >> (24 - 8 * i));
    return stamp;
}

}  // namespace myst::wireguard
