#include "format.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>

#include "myst/base/printable.hpp"

namespace myst::console {
namespace {

constexpr std::size_t kLabelWidth = 24;
constexpr std::size_t kColumnGap = 2;
constexpr std::size_t kEtherDecimals = 18;

/// A decimal number shifted by 18 places, without trailing zeros.
std::string shifted(std::string digits) {
    if (digits.size() <= kEtherDecimals) digits.insert(0, kEtherDecimals + 1 - digits.size(), '0');
    digits.insert(digits.size() - kEtherDecimals, 1, '.');
    digits.erase(digits.find_last_not_of('0') + 1);
    if (digits.ends_with('.')) digits.pop_back();
    return digits;
}

/// How many characters a UTF-8 text has.
std::size_t columns(std::string_view text) {
    const auto is_first = [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; };
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), is_first));
}

}  // namespace

std::string format_bytes(std::uint64_t bytes) {
    constexpr std::uint64_t kStep = 1024;
    constexpr std::array<std::string_view, 6> kUnits{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < kStep) return fmt::format("{} B", bytes);
    Uint128 unit = kStep;
    std::size_t index = 0;
    const auto tenths = [&] { return (Uint128{bytes} * 10 + unit / 2) / unit; };
    while (tenths() >= Uint128{kStep} * 10 && index + 1 < kUnits.size()) {
        unit *= kStep;
        ++index;
    }
    const auto rounded = static_cast<std::uint64_t>(tenths());
    return fmt::format("{}.{} {}", rounded / 10, rounded % 10, kUnits[index]);
}

std::string format_rate(std::uint64_t bytes_per_second) {
    return format_bytes(bytes_per_second) + "/s";
}

std::string format_amount(Amount amount) {
    return fmt::format("{} {}", format_tokens(amount), kSymbol);
}

std::string format_short_amount(Amount amount) {
    constexpr std::size_t kDecimals = 4;
    auto text = format_tokens(amount);
    if (text.find('.') == std::string::npos) text += '.';
    text += std::string(kDecimals, '0');
    text.resize(text.find('.') + 1 + kDecimals);
    return fmt::format("{} {}", text, kSymbol);
}

std::string format_duration(std::uint64_t seconds) {
    constexpr std::uint64_t kMinute = 60;
    constexpr std::uint64_t kHour = 3600;
    if (seconds < kMinute) return fmt::format("{} s", seconds);
    if (seconds < kHour) return fmt::format("{} min {} s", seconds / kMinute, seconds % kMinute);
    return fmt::format("{} h {} min {} s", seconds / kHour, seconds % kHour / kMinute, seconds % kMinute);
}

std::string format_ether(std::string_view wei) {
    const bool is_number =
        !wei.empty() && std::all_of(wei.begin(), wei.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_number) return printable(wei);
    return shifted(std::string(wei)) + " ETH";
}

std::string labelled(std::string_view label, std::string_view value) {
    return fmt::format("    {:<{}}{}\n", fmt::format("{}:", label), kLabelWidth, value);
}

std::string format_table(const std::vector<Row>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
    }
    std::string text;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i + 1 < row.size(); ++i) {
            text += row[i] + std::string(widths[i] - columns(row[i]) + kColumnGap, ' ');
        }
        if (!row.empty()) text += row.back();
        text += '\n';
    }
    return text;
}

std::string coloured(std::string_view text, Colour colour) {
    if (!is_terminal() || std::getenv("NO_COLOR") != nullptr) return std::string(text);
    const auto code = colour == Colour::good ? 32 : colour == Colour::waiting ? 33 : 31;
    return fmt::format("\033[1;{}m{}\033[0m", code, text);
}

bool is_terminal() {
    return ::isatty(STDOUT_FILENO) == 1;
}

}  // namespace myst::console
