#include "myst/base/clock.hpp"

#include <ctime>

namespace myst {

std::string utc_text(UnixTime time) {
    const auto raw = static_cast<std::time_t>(time.time_since_epoch().count());
    std::tm parts{};
    gmtime_r(&raw, &parts);
    char text[32];
    const auto size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
    return {text, size};
}

}  // namespace myst
