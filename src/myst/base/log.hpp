// Log lines go to standard error: time, level, text. Never put secrets, destinations or consumers' addresses here.
#pragma once

#include <string_view>

#include <fmt/format.h>

namespace myst::log {

enum class Level { debug, info, warn, error };

/// Drops everything below `level`. Default info.
void set_level(Level level);
/// Whether lines of this level are written, to skip costly preparation.
[[nodiscard]] bool enabled(Level level);
/// Writes one line; safe from any thread; never throws.
void write(Level level, std::string_view text) noexcept;

template <class... Args>
void print(Level level, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(level)) write(level, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    print(Level::debug, format, std::forward<Args>(args)...);
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    print(Level::info, format, std::forward<Args>(args)...);
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
    print(Level::warn, format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    print(Level::error, format, std::forward<Args>(args)...);
}

}  // namespace myst::log
