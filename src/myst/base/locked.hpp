// Memory for keys that are kept: not written to swap (mlock), not part of core files (MADV_DONTDUMP), wiped when freed.
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace myst {

namespace detail {
/// Largest object; a few sizes up to it are served, each in pages of its own, which are kept for the next.
inline constexpr std::size_t kMaxLocked = 128;
/// Room for `size` bytes, aligned for anything, zeros. Never null. Any thread.
[[nodiscard]] void* allocate_locked(std::size_t size);
/// Wipes it, too.
void free_locked(void* memory, std::size_t size) noexcept;
}  // namespace detail

/// Owns a T in locked memory. Always holds one, unless it was moved from. If the system locks no more (RLIMIT_MEMLOCK),
/// the log says so once, and only that protection is missing.
template <class T>
class Locked {
    static_assert(sizeof(T) <= detail::kMaxLocked && alignof(T) <= alignof(std::max_align_t));

public:
    template <class... Args>
    explicit Locked(std::in_place_t, Args&&... args) : memory_(detail::allocate_locked(sizeof(T))) {
        new (memory_) T{std::forward<Args>(args)...};
    }
    Locked() : Locked(std::in_place) {}
    explicit Locked(T value) : Locked(std::in_place, std::move(value)) {}
    Locked(Locked&& other) noexcept : memory_(std::exchange(other.memory_, nullptr)) {}
    Locked& operator=(Locked&& other) noexcept {
        std::swap(memory_, other.memory_);
        return *this;
    }
    Locked(const Locked&) = delete;
    Locked& operator=(const Locked&) = delete;
    ~Locked() {
        if (memory_ == nullptr) return;
        get().~T();
        detail::free_locked(memory_, sizeof(T));
    }

    [[nodiscard]] T& operator*() { return get(); }
    [[nodiscard]] const T& operator*() const { return get(); }
    [[nodiscard]] T* operator->() { return &get(); }
    [[nodiscard]] const T* operator->() const { return &get(); }

private:
    [[nodiscard]] T& get() const { return *std::launder(reinterpret_cast<T*>(memory_)); }
    void* memory_ = nullptr;
};

}  // namespace myst
