// The header before each packet that a TUN device with IFF_VNET_HDR reads or takes (virtio 1.2, section 5.1.6).
#pragma once

#include <cstdint>
#include <span>

#include "myst/base/bytes.hpp"

namespace myst::wireguard {

struct VnetHeader {
    static constexpr std::size_t kSize = 10;

    // Flags.
    static constexpr std::uint8_t kNeedsChecksum = 1;
    static constexpr std::uint8_t kDataValid = 2;

    // Types; kEcn is added to those of TCP.
    static constexpr std::uint8_t kGsoNone = 0;
    static constexpr std::uint8_t kGsoTcp4 = 1;
    static constexpr std::uint8_t kGsoTcp6 = 4;
    static constexpr std::uint8_t kGsoUdp = 5;
    static constexpr std::uint8_t kEcn = 0x80;

    std::uint8_t flags = 0;
    std::uint8_t gso_type = kGsoNone;
    std::uint16_t header_size = 0;      ///< of IP and transport header
    std::uint16_t gso_size = 0;         ///< payload bytes of a segment
    std::uint16_t checksum_start = 0;   ///< from here to the end the checksum counts
    std::uint16_t checksum_offset = 0;  ///< of its field, behind checksum_start

    /// In the machine's byte order, as TUN devices have it unless told otherwise.
    [[nodiscard]] static VnetHeader decode(std::span<const std::uint8_t, kSize> bytes);
    void encode(std::span<std::uint8_t, kSize> out) const;

    bool operator==(const VnetHeader&) const = default;
};

}  // namespace myst::wireguard
