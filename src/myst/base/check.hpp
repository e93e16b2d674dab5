// CHECK guards promises that our own code makes to itself. It is always on and aborts. Never use it on input.
#pragma once

namespace myst::detail {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}

#define CHECK(expression) \
    (static_cast<bool>(expression) ? void(0) : ::myst::detail::check_failed(#expression, __FILE__, __LINE__))
