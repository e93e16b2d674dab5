// Keccak-256 as Ethereum uses it (the padding of the original submission, not of FIPS 202).
#pragma once

#include <initializer_list>

#include "myst/base/bytes.hpp"

namespace myst::crypto {

[[nodiscard]] Hash32 keccak256(BytesView data);
/// Digest of the concatenation, without building it.
[[nodiscard]] Hash32 keccak256(std::initializer_list<BytesView> parts);

}  // namespace myst::crypto
