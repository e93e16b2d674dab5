// How much memory a test has taken.
#pragma once

#include <malloc.h>

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MYST_SANITIZER_ALLOCATES
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MYST_SANITIZER_ALLOCATES
#endif
#endif
#ifdef MYST_SANITIZER_ALLOCATES
#include <sanitizer/allocator_interface.h>
#endif

namespace myst {

/// Bytes that the process has allocated and not freed, of all threads. With a sanitizer they are those asked for, else
/// with what the allocator adds and keeps.
inline std::size_t heap_bytes() {
#ifdef MYST_SANITIZER_ALLOCATES
    return __sanitizer_get_current_allocated_bytes();
#else
    const auto info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

}  // namespace myst
