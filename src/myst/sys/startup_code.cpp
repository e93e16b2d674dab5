#include "myst/sys/startup_code.hpp"

#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cstddef>
#include <tuple>

namespace myst::sys {
namespace {

/// Segments that cannot be written hold what the file holds: the dynamic linker relocates position-independent code
/// in the writable ones only.
int release_read_only_segments(dl_phdr_info* object, std::size_t /*size*/, void* /*context*/) {
    const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    for (int i = 0; i < object->dlpi_phnum; ++i) {
        const auto& segment = object->dlpi_phdr[i];
        if (segment.p_type != PT_LOAD || (segment.p_flags & PF_W) != 0) continue;
        const std::size_t begin = object->dlpi_addr + segment.p_vaddr;
        const std::size_t to_page = (page - begin % page) % page;
        if (segment.p_memsz < to_page + page) continue;
        const std::size_t bytes = (segment.p_memsz - to_page) / page * page;
        auto* const at = std::bit_cast<std::byte*>(object->dlpi_addr) + segment.p_vaddr + to_page;
        // Refused (locked memory): it stays resident, which is no harm.
        std::ignore = ::madvise(at, bytes, MADV_DONTNEED);
    }
    return 0;
}

}  // namespace

void release_startup_code() {
    ::dl_iterate_phdr(release_read_only_segments, nullptr);
}

}  // namespace myst::sys
