// Memory for packets under way: one large page where the system has one, so that going through it costs no look-ups of
// addresses, which are dear on virtual machines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace myst::sys {

/// One piece of zeroed memory from which buffers are cut when a data path is built; it goes as a whole. One thread.
class PacketMemory {
public:
    /// At least `bytes`, rounded up to large pages (2 MiB), all of it resident. Throws std::bad_alloc.
    explicit PacketMemory(std::size_t bytes);
    ~PacketMemory();
    PacketMemory(const PacketMemory&) = delete;
    PacketMemory& operator=(const PacketMemory&) = delete;

    /// The next `bytes`, which must be left; begins at a cache line.
    [[nodiscard]] std::span<std::uint8_t> take(std::size_t bytes);

private:
    std::span<std::uint8_t> mapped_;
    std::span<std::uint8_t> left_;
};

}  // namespace myst::sys
