#include "myst/wireguard/inner_packet.hpp"

namespace myst::wireguard {
namespace {

std::size_t big_endian_16(BytesView bytes, std::size_t at) {
    return static_cast<std::size_t>(bytes[at]) << 8 | bytes[at + 1];
}

}  // namespace

std::optional<InnerPacket> parse_inner_packet(BytesView plaintext) {
    constexpr std::size_t kHeaderV4 = 20;
    constexpr std::size_t kHeaderV6 = 40;
    // Written where the caller has it: every packet comes through here.
    std::optional<InnerPacket> packet;
    if (plaintext.empty()) return packet;
    const unsigned version = plaintext[0] >> 4;
    if (version == 4 && plaintext.size() >= kHeaderV4) {
        const auto length = big_endian_16(plaintext, 2);
        if (length < kHeaderV4 || length > plaintext.size()) return packet;
        packet.emplace();
        packet->source.assign(plaintext.subspan<12, 4>());
        packet->destination.assign(plaintext.subspan<16, 4>());
        packet->length = length;
    } else if (version == 6 && plaintext.size() >= kHeaderV6) {
        const auto length = kHeaderV6 + big_endian_16(plaintext, 4);
        if (length > plaintext.size()) return packet;
        packet.emplace();
        packet->source.assign(plaintext.subspan<8, 16>());
        packet->destination.assign(plaintext.subspan<24, 16>());
        packet->length = length;
    }
    return packet;
}

}  // namespace myst::wireguard
