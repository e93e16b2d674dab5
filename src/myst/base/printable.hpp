// Texts of strangers, made fit for a log line, a terminal or an error message.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace myst {

/// At most `max_bytes` of `text`, with "…" behind them if something was cut off. UTF-8 stays as it is; a '?' stands for
/// every control character (line breaks and terminal commands among them), for every mark that changes the direction of
/// writing, and for every byte that is not UTF-8.
[[nodiscard]] std::string printable(std::string_view text, std::size_t max_bytes = std::string_view::npos);

}  // namespace myst
