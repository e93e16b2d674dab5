#include "myst/base/locked.hpp"

#include <sys/mman.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <system_error>

#include "myst/base/log.hpp"
#include "myst/base/secret.hpp"

namespace myst::detail {
namespace {

constexpr std::array<std::size_t, 3> kSizes{32, 64, kMaxLocked};
constexpr std::size_t kChunk = 16 * 1024;

/// A slot that is free. Its other bytes are zeros.
struct Free {
    Free* next;
};

class Slabs {
public:
    void* allocate(std::size_t size) {
        const std::lock_guard guard(mutex_);
        auto& list = free_[class_of(size)];
        if (list == nullptr) list = add_chunk(kSizes[class_of(size)]);
        auto* const slot = list;
        list = slot->next;
        slot->next = nullptr;
        return slot;
    }
    void free(void* memory, std::size_t size) noexcept {
        const auto kind = class_of(size);
        secure_wipe({static_cast<std::uint8_t*>(memory), kSizes[kind]});
        const std::lock_guard guard(mutex_);
        free_[kind] = new (memory) Free{free_[kind]};
    }

private:
    static std::size_t class_of(std::size_t size) {
        std::size_t kind = 0;
        while (kSizes.at(kind) < size) ++kind;
        return kind;
    }
    /// The first of a list of new slots.
    Free* add_chunk(std::size_t slot) {
        void* const chunk = ::mmap(nullptr, kChunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (chunk == MAP_FAILED) throw std::bad_alloc();
        const bool kept = ::madvise(chunk, kChunk, MADV_DONTDUMP) == 0 && ::mlock(chunk, kChunk) == 0;
        if (!kept && !std::exchange(warned_, true)) {
            log::warn("keys cannot be kept from swap and core files: {} (raise the limit of locked memory)",
                      std::generic_category().message(errno));
        }
        Free* first = nullptr;
        for (std::size_t at = kChunk; at != 0; at -= slot) {
            first = new (static_cast<std::uint8_t*>(chunk) + at - slot) Free{first};
        }
        return first;
    }

    std::mutex mutex_;
    std::array<Free*, kSizes.size()> free_{};
    bool warned_ = false;
};

/// Outlives whatever is destroyed when the process ends.
Slabs& slabs() {
    static auto* const slabs = new Slabs;
    return *slabs;
}

}  // namespace

void* allocate_locked(std::size_t size) {
    return slabs().allocate(size);
}

void free_locked(void* memory, std::size_t size) noexcept {
    slabs().free(memory, size);
}

}  // namespace myst::detail
