// Key material: cannot be copied by accident, printed or compared with ==, and is wiped when it goes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

namespace myst {

/// Overwrites memory in a way the compiler may not remove.
inline void secure_wipe(std::span<std::uint8_t> memory) noexcept {
    volatile std::uint8_t* byte = memory.data();
    for (std::size_t i = 0; i < memory.size(); ++i) byte[i] = 0;
}

/// Overwrites what calls that have returned left on the stack, below the frame of the caller: libraries do not clean up
/// all they put there.
[[gnu::noinline]] inline void wipe_stack() noexcept {
    std::array<std::uint8_t, 16 * 1024> below{};
    asm volatile("" : : "r"(below.data()) : "memory");  // the compiler must believe that somebody reads it
}

/// Does so when it goes: the first local object of a function that computes with keys.
struct StackWipe {
    StackWipe() = default;
    StackWipe(const StackWipe&) = delete;
    StackWipe& operator=(const StackWipe&) = delete;
    ~StackWipe() { wipe_stack(); }
};

/// Compares in time that does not depend on where the inputs differ (lengths are public).
[[nodiscard]] inline bool equal_constant_time(std::span<const std::uint8_t> a,
                                              std::span<const std::uint8_t> b) noexcept {
    if (a.size() != b.size()) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned>(a[i] ^ b[i]);
    return difference == 0;
}

/// N secret bytes. Moving wipes the source; `clone` is the only, visible, way to copy.
template <std::size_t N>
class Secret {
public:
    Secret() = default;
    Secret(Secret&& other) noexcept : bytes_(other.bytes_) { secure_wipe(other.bytes_); }
    Secret& operator=(Secret&& other) noexcept {
        if (this != &other) {
            bytes_ = other.bytes_;
            secure_wipe(other.bytes_);
        }
        return *this;
    }
    Secret(const Secret&) = delete;
    Secret& operator=(const Secret&) = delete;
    ~Secret() { secure_wipe(bytes_); }

    [[nodiscard]] Secret clone() const {
        Secret copy;
        copy.bytes_ = bytes_;
        return copy;
    }
    /// The bytes, for the primitive that needs them; do not keep the span.
    [[nodiscard]] std::span<const std::uint8_t, N> expose() const { return bytes_; }
    /// For filling the secret in place.
    [[nodiscard]] std::span<std::uint8_t, N> expose_mutable() { return bytes_; }
    [[nodiscard]] bool equals(const Secret& other) const { return equal_constant_time(bytes_, other.bytes_); }

private:
    std::array<std::uint8_t, N> bytes_{};
};

}  // namespace myst
