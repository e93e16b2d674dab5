// SHA-256 and HMAC-SHA-256 (FIPS 180-4, RFC 2104).
#pragma once

#include <initializer_list>

#include "myst/base/bytes.hpp"

namespace myst::crypto {

[[nodiscard]] Hash32 sha256(BytesView data);
[[nodiscard]] Hash32 sha256(std::initializer_list<BytesView> parts);
[[nodiscard]] Hash32 hmac_sha256(BytesView key, std::initializer_list<BytesView> parts);
/// The same into memory of the caller, for results that are themselves keys.
void hmac_sha256_into(BytesView key, std::initializer_list<BytesView> parts, std::span<std::uint8_t, 32> out);

}  // namespace myst::crypto
