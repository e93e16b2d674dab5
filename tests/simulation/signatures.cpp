#include "signatures.hpp"

#include "myst/base/check.hpp"

namespace myst::sim {

Signatures::Signatures() : domain_(31337, Address{{0xaa}}), payer_(fixed_key(1)) {}

crypto::PrivateKey fixed_key(std::uint8_t number) {
    std::array<std::uint8_t, 32> bytes{};
    bytes.back() = number;
    auto key = crypto::PrivateKey::from(bytes);
    CHECK(key.has_value());
    return std::move(*key);
}

}  // namespace myst::sim
