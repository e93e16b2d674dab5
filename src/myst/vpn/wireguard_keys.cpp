#include "myst/vpn/wireguard_keys.hpp"

#include <openssl/evp.h>

#include <memory>

#include "myst/base/check.hpp"

namespace myst::vpn {

TunnelKey public_key_of(const Secret<32>& private_key) {
    const auto bytes = private_key.expose();
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
        EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, bytes.data(), bytes.size()), EVP_PKEY_free);
    CHECK(key != nullptr);
    TunnelKey result;
    std::size_t size = result.bytes.size();
    CHECK(EVP_PKEY_get_raw_public_key(key.get(), result.bytes.data(), &size) == 1 && size == result.bytes.size());
    return result;
}

ports::TunnelDriver::KeyPair make_key_pair(Rng& rng) {
    ports::TunnelDriver::KeyPair keys;
    auto bytes = keys.private_key.expose_mutable();
    rng.fill(bytes);
    bytes[0] &= 248;
    bytes[31] = static_cast<std::uint8_t>((bytes[31] & 127) | 64);
    keys.public_key = public_key_of(keys.private_key);
    return keys;
}

}  // namespace myst::vpn
