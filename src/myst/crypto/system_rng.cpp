#include "myst/crypto/system_rng.hpp"

#include <cerrno>

#include <sys/random.h>

#include "myst/base/check.hpp"

namespace myst::crypto {

void SystemRng::fill(std::span<std::uint8_t> out) {
    while (!out.empty()) {
        const ssize_t got = getrandom(out.data(), out.size(), 0);
        if (got < 0 && errno == EINTR) continue;
        CHECK(got > 0);
        out = out.subspan(static_cast<std::size_t>(got));
    }
}

}  // namespace myst::crypto
