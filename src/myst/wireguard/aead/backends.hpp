// The back-ends by name; others take make_aead of aead.hpp. Each function gives null where its back-end cannot work.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "myst/wireguard/aead/aead.hpp"

namespace myst::wireguard::detail {

constexpr std::size_t kNonceSize = 12;

/// The nonce as RFC 8439 takes it.
[[nodiscard]] std::array<std::uint8_t, kNonceSize> nonce_of(const AeadJob& job);

[[nodiscard]] std::unique_ptr<Aead> make_openssl_aead();
[[nodiscard]] std::unique_ptr<Aead> make_ipsec_mb_aead();
[[nodiscard]] std::unique_ptr<Aead> make_avx512_aead();

}  // namespace myst::wireguard::detail
