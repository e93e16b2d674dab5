// Base64 of RFC 4648 section 4, with padding.
#pragma once

#include <string>
#include <string_view>

#include "myst/base/bytes.hpp"

namespace myst::crypto {

[[nodiscard]] std::string to_base64(BytesView data);
/// Canonical form only: full padding, no blanks or line ends, unused bits zero. Anything else is invalid_data.
[[nodiscard]] Result<Bytes> parse_base64(std::string_view text);

}  // namespace myst::crypto
