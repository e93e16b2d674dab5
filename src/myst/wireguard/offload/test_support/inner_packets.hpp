// Packets made to order, with checksums computed the slow way, and TUN writes taken apart again.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

#include "myst/base/bytes.hpp"
#include "myst/base/check.hpp"
#include "myst/wireguard/offload/coalescer.hpp"
#include "myst/wireguard/offload/ip_header.hpp"
#include "myst/wireguard/offload/super_packet.hpp"

namespace myst::wireguard::test {

/// RFC 1071, word by word in network order.
inline std::uint16_t naive_checksum(BytesView bytes, std::uint32_t start = 0) {
    std::uint32_t sum = start;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        sum += static_cast<std::uint32_t>(i % 2 == 0 ? bytes[i] << 8 : bytes[i]);
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(~sum);
}

inline void put16(Bytes& bytes, std::size_t at, std::size_t value) {
    bytes.at(at) = static_cast<std::uint8_t>(value >> 8);
    bytes.at(at + 1) = static_cast<std::uint8_t>(value);
}
inline void put32(Bytes& bytes, std::size_t at, std::uint32_t value) {
    put16(bytes, at, value >> 16);
    put16(bytes, at + 2, value & 0xffff);
}

struct PacketSpec {
    bool ipv6 = false;
    bool udp = false;
    std::uint8_t host = 1;  ///< last byte of the source address
    std::uint16_t port = 1000;
    std::uint16_t id = 1;
    bool df = true;
    std::uint8_t ttl = 64;
    std::uint8_t tos = 0;
    std::size_t ip_options = 0;  ///< bytes
    std::uint16_t fragment = 0;  ///< more fragments, and offset
    std::uint32_t sequence = 1000;
    std::uint32_t acknowledgement = 7;
    std::uint8_t flags = 0x10;
    std::uint16_t window = 500;
    Bytes tcp_options{};
    std::size_t payload = 100;
    std::uint8_t fill = 0x5a;
    bool wrong_checksum = false;
    bool no_udp_checksum = false;
    std::uint16_t missing_udp_length = 0;  ///< what the header says too little

    [[nodiscard]] std::size_t ip_header() const { return ipv6 ? 40 : 20 + ip_options; }
    [[nodiscard]] std::size_t transport_header() const { return udp ? 8 : 20 + tcp_options.size(); }
};

inline void write_ip_header(const PacketSpec& spec, Bytes& packet) {
    const std::uint8_t protocol = spec.udp ? 17 : 6;
    if (spec.ipv6) {
        packet[0] = static_cast<std::uint8_t>(0x60 | spec.tos >> 4);
        packet[1] = static_cast<std::uint8_t>(spec.tos << 4);
        put16(packet, 4, packet.size() - 40);
        packet[6] = protocol;
        packet[7] = spec.ttl;
        packet[8] = 0xfd;
        packet[23] = spec.host;
        packet[24] = 0xfd;
        packet[39] = 99;
        return;
    }
    packet[0] = static_cast<std::uint8_t>(0x40 | spec.ip_header() / 4);
    packet[1] = spec.tos;
    put16(packet, 2, packet.size());
    put16(packet, 4, spec.id);
    put16(packet, 6, static_cast<std::uint16_t>((spec.df ? 0x4000 : 0) | spec.fragment));
    packet[8] = spec.ttl;
    packet[9] = protocol;
    packet[12] = 10;
    packet[15] = spec.host;
    packet[16] = 10;
    packet[19] = 99;
    put16(packet, 10, naive_checksum(BytesView(packet).first(spec.ip_header())));
}

/// Of addresses, protocol and length, as a sum that naive_checksum continues.
inline std::uint32_t pseudo_sum(const PacketSpec& spec, const Bytes& packet) {
    const auto addresses = spec.ipv6 ? BytesView(packet).subspan(8, 32) : BytesView(packet).subspan(12, 8);
    const auto length = static_cast<std::uint32_t>(packet.size() - spec.ip_header());
    return static_cast<std::uint16_t>(~naive_checksum(addresses)) + (spec.udp ? 17U : 6U) + (length >> 16) +
           (length & 0xffff);
}

inline Bytes make_packet(const PacketSpec& spec) {
    const auto at = spec.ip_header();
    Bytes packet(at + spec.transport_header() + spec.payload);
    for (std::size_t i = at + spec.transport_header(); i < packet.size(); ++i) {
        packet[i] = static_cast<std::uint8_t>(spec.fill + i * i);
    }
    write_ip_header(spec, packet);
    put16(packet, at, spec.port);
    put16(packet, at + 2, 2000);
    if (spec.udp) {
        put16(packet, at + 4, packet.size() - at - spec.missing_udp_length);
    } else {
        put32(packet, at + 4, spec.sequence);
        put32(packet, at + 8, spec.acknowledgement);
        packet[at + 12] = static_cast<std::uint8_t>(spec.transport_header() / 4 << 4);
        packet[at + 13] = spec.flags;
        put16(packet, at + 14, spec.window);
        std::copy(spec.tcp_options.begin(), spec.tcp_options.end(),
                  packet.begin() + static_cast<std::ptrdiff_t>(at + 20));
    }
    auto checksum = naive_checksum(BytesView(packet).subspan(at), pseudo_sum(spec, packet));
    if (spec.udp && checksum == 0) checksum = 0xffff;
    if (spec.wrong_checksum) checksum ^= 0x0100;
    if (!spec.no_udp_checksum) put16(packet, at + (spec.udp ? 6 : 16), checksum);
    return packet;
}

/// The bytes of a write, one after the other.
inline Bytes joined(const TunWrite& write) {
    Bytes bytes;
    for (const auto& part : write.parts) {
        const auto* begin = static_cast<const std::uint8_t*>(part.iov_base);
        bytes.insert(bytes.end(), begin, begin + part.iov_len);
    }
    return bytes;
}

/// All segments of what a TUN device was read to give, or a write to it says.
inline std::vector<Bytes> segments_of(const SuperPacket& super) {
    std::vector<Bytes> segments(super.segments());
    for (std::size_t i = 0; i < segments.size(); ++i) {
        segments[i].resize(super.segment_size(i));
        super.write_segment(i, segments[i]);
    }
    return segments;
}

/// The packets that a write stands for.
inline std::vector<Bytes> packets_of(const TunWrite& write) {
    const auto bytes = joined(write);
    const auto header = VnetHeader::decode(BytesView(bytes).first<VnetHeader::kSize>());
    if (header.gso_type == VnetHeader::kGsoNone) {
        CHECK(header.header_size == 0 && header.gso_size == 0 && header.checksum_start == 0 && write.packets == 1);
        return {Bytes(bytes.begin() + VnetHeader::kSize, bytes.end())};
    }
    const auto super = SuperPacket::parse(bytes);
    CHECK(super && super->segments() == write.packets);
    return segments_of(*super);
}

/// With identification 0 if it is IPv4 with DF, where the identification means nothing.
inline Bytes without_id(Bytes packet) {
    const auto parsed = examine(packet);
    if (!parsed.verified || packet[0] >> 4 != 4 || (packet[6] & 0x40) == 0) return packet;
    put16(packet, 4, 0);
    put16(packet, 10, 0);
    put16(packet, 10, naive_checksum(BytesView(packet).first(20)));
    return packet;
}

/// The packets of each flow, in order; a packet whose flow cannot be told is one of its own.
inline std::map<Bytes, std::vector<Bytes>> by_flow(const std::vector<Bytes>& packets) {
    std::map<Bytes, std::vector<Bytes>> flows;
    for (const auto& packet : packets) {
        const auto parsed = examine(packet);
        Bytes key = packet;
        if (parsed.kind != JoinablePacket::Kind::foreign) {
            const auto addresses = ip_addresses(packet);
            const auto ports = BytesView(packet).subspan(parsed.ip_header, 4);
            key.assign({parsed.protocol});
            key.insert(key.end(), addresses.begin(), addresses.end());
            key.insert(key.end(), ports.begin(), ports.end());
        }
        flows[std::move(key)].push_back(without_id(packet));
    }
    return flows;
}

/// Whether the writes stand for exactly these packets, those of each flow in their order.
inline bool stands_for(std::span<const TunWrite> writes, const std::vector<Bytes>& packets) {
    std::vector<Bytes> taken_apart;
    for (const auto& write : writes) {
        for (auto& packet : packets_of(write)) taken_apart.push_back(std::move(packet));
    }
    return by_flow(taken_apart) == by_flow(packets);
}

}  // namespace myst::wireguard::test
