// Numbers and texts for people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "myst/base/amount.hpp"

namespace myst::console {

/// Symbol of the payment token.
inline constexpr std::string_view kSymbol = "MYSTT";

/// "184.0 MiB"; below 1 KiB "17 B".
[[nodiscard]] std::string format_bytes(std::uint64_t bytes);
/// "61.2 MiB/s"
[[nodiscard]] std::string format_rate(std::uint64_t bytes_per_second);
/// "0.018 MYSTT"
[[nodiscard]] std::string format_amount(Amount amount);
/// Rounded down to four decimals, so that a line that is rewritten keeps its width: "0.0180 MYSTT"
[[nodiscard]] std::string format_short_amount(Amount amount);
/// "1 h 2 min 3 s"
[[nodiscard]] std::string format_duration(std::uint64_t seconds);
/// Ether of a decimal number of wei, with up to 18 decimals: "1.5 ETH"; the text itself if it is no such number.
[[nodiscard]] std::string format_ether(std::string_view wei);

/// One indented line: label in a field of 24 columns, then the value.
[[nodiscard]] std::string labelled(std::string_view label, std::string_view value);

using Row = std::vector<std::string>;
/// Rows in columns as wide as their longest cell, two spaces apart; the first row is the heading.
[[nodiscard]] std::string format_table(const std::vector<Row>& rows);

enum class Colour { good, waiting, bad };
/// In bold colour if standard output is a terminal and NO_COLOR is not set.
[[nodiscard]] std::string coloured(std::string_view text, Colour colour);

/// Whether standard output is a terminal.
[[nodiscard]] bool is_terminal();

}  // namespace myst::console
