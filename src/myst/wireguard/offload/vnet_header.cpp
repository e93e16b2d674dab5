#include "myst/wireguard/offload/vnet_header.hpp"

#include <array>
#include <cstring>

namespace myst::wireguard {

VnetHeader VnetHeader::decode(std::span<const std::uint8_t, kSize> bytes) {
    std::array<std::uint16_t, 4> words{};
    std::memcpy(words.data(), bytes.data() + 2, sizeof words);
    return {bytes[0], bytes[1], words[0], words[1], words[2], words[3]};
}

void VnetHeader::encode(std::span<std::uint8_t, kSize> out) const {
    const std::array<std::uint16_t, 4> words = {header_size, gso_size, checksum_start, checksum_offset};
    out[0] = flags;
    out[1] = gso_type;
    std::memcpy(out.data() + 2, words.data(), sizeof words);
}

}  // namespace myst::wireguard
