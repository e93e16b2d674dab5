// Little-endian numbers in messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace myst::wireguard {

/// The number in all bytes of `bytes`, at most as many as Number has.
template <class Number>
[[nodiscard]] Number load_little_endian(std::span<const std::uint8_t> bytes) {
    Number value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;) value = static_cast<Number>((std::uint64_t{value} << 8) | bytes[i]);
    return value;
}

/// Fills all bytes of `bytes`.
template <class Number>
void store_little_endian(std::span<std::uint8_t> bytes, Number value) {
    std::uint64_t rest = value;
    for (auto& byte : bytes) {
        byte = static_cast<std::uint8_t>(rest);
        rest >>= 8;
    }
}

}  // namespace myst::wireguard
