// Takes a fuzzer's bytes apart.
#pragma once

#include <algorithm>
#include <array>

#include "myst/base/bytes.hpp"

namespace myst::fuzz {

/// Hands out bytes from the front; zeros when there are no more.
class Input {
public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}
    [[nodiscard]] bool empty() const { return rest_.empty(); }
    [[nodiscard]] BytesView take(std::size_t size) {
        const auto taken = rest_.first(std::min(size, rest_.size()));
        rest_ = rest_.subspan(taken.size());
        return taken;
    }
    [[nodiscard]] BytesView rest() { return take(rest_.size()); }
    [[nodiscard]] std::uint8_t byte() { return static_cast<std::uint8_t>(number(1)); }
    /// Two bytes, the low one first.
    [[nodiscard]] std::uint16_t word() {
        const auto low = byte();
        return static_cast<std::uint16_t>(low | byte() << 8);
    }
    [[nodiscard]] std::uint64_t number(std::size_t size) {
        std::uint64_t value = 0;
        for (const auto byte : take(size)) value = value << 8 | byte;
        return value;
    }
    template <std::size_t N>
    [[nodiscard]] std::array<std::uint8_t, N> array() {
        std::array<std::uint8_t, N> bytes{};
        const auto taken = take(N);
        std::copy(taken.begin(), taken.end(), bytes.begin());
        return bytes;
    }

private:
    BytesView rest_;
};

}  // namespace myst::fuzz
