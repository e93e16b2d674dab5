#include "myst/sys/packet_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <new>
#include <tuple>

#include "myst/base/check.hpp"

namespace myst::sys {
namespace {

constexpr std::size_t kLargePage = std::size_t{2} << 20;
constexpr std::size_t kCacheLine = 64;

constexpr std::size_t rounded_up(std::size_t value, std::size_t unit) {
    return (value + unit - 1) / unit * unit;
}

}  // namespace

PacketMemory::PacketMemory(std::size_t bytes) {
    // One page more than needed, so that the part in use can begin at the border of a large one.
    const std::size_t used = rounded_up(bytes, kLargePage);
    const std::size_t size = used + kLargePage;
    void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    mapped_ = {static_cast<std::uint8_t*>(at), size};
    const auto address = reinterpret_cast<std::uintptr_t>(at);
    left_ = mapped_.subspan(rounded_up(address, kLargePage) - address, used);
    std::ignore = ::madvise(left_.data(), left_.size(), MADV_HUGEPAGE);  // refused: small pages do as well
    std::ignore = ::madvise(left_.data(), left_.size(), MADV_DONTDUMP);
    left_ = left_.first(rounded_up(bytes, kCacheLine));
    std::ranges::fill(left_, std::uint8_t{0});
}

PacketMemory::~PacketMemory() {
    ::munmap(mapped_.data(), mapped_.size());
}

std::span<std::uint8_t> PacketMemory::take(std::size_t bytes) {
    const std::size_t rounded = rounded_up(bytes, kCacheLine);
    CHECK(rounded <= left_.size());
    const auto part = left_.first(bytes);
    left_ = left_.subspan(rounded);
    return part;
}

}  // namespace myst::sys
