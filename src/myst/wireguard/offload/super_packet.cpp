#include "myst/wireguard/offload/super_packet.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "myst/base/check.hpp"
#include "myst/wireguard/offload/checksum.hpp"
#include "myst/wireguard/offload/ip_header.hpp"

namespace myst::wireguard {

namespace {

tl::unexpected<Error> invalid(std::string what) {
    return fail(ErrorCode::invalid_data, "packet from the TUN device: " + std::move(what));
}

/// Whether the type says TCP, and of which version of IP.
bool is_tcp_of(std::uint8_t type, bool ipv4) {
    return type == (ipv4 ? VnetHeader::kGsoTcp4 : VnetHeader::kGsoTcp6);
}

}  // namespace

Result<SuperPacket> SuperPacket::parse(BytesView read) {
    if (read.size() < VnetHeader::kSize) return invalid(fmt::format("{} bytes are no virtio_net_hdr", read.size()));
    const auto header = VnetHeader::decode(read.first<VnetHeader::kSize>());
    SuperPacket result(read.subspan(VnetHeader::kSize), header);
    if (!is_ip(result.packet_)) return invalid("no IP packet, or not of the length that it says");
    constexpr auto kKnownFlags = VnetHeader::kNeedsChecksum | VnetHeader::kDataValid;
    if ((header.flags & ~kKnownFlags) != 0) return invalid(fmt::format("unknown flags {:#x}", header.flags));
    auto checked = header.gso_type == VnetHeader::kGsoNone ? result.check_single() : result.check_segmented();
    if (!checked) return forward_error(checked);
    return result;
}

Result<> SuperPacket::check_single() {
    if ((header_.flags & VnetHeader::kNeedsChecksum) == 0) return {};
    const auto end = std::size_t{header_.checksum_start} + header_.checksum_offset + sizeof(std::uint16_t);
    if (header_.checksum_start < ip_header_size(packet_) || end > packet_.size()) {
        return invalid(
            fmt::format("no place for a checksum at {} + {}", header_.checksum_start, header_.checksum_offset));
    }
    return {};
}

Result<> SuperPacket::check_segmented() {
    if ((header_.flags & VnetHeader::kNeedsChecksum) == 0) return invalid("segments without a checksum to complete");
    if (auto found = find_payload(); !found) return found;
    const std::size_t offset = tcp_ ? kTcpChecksumAt : kUdpChecksumAt;
    if (header_.checksum_offset != offset) return invalid(fmt::format("csum_offset {}", header_.checksum_offset));
    if (header_.gso_size == 0) return invalid("gso_size 0");
    const auto payload = packet_.size() - payload_at_;
    if (payload == 0) return invalid("segments without payload");
    segments_ = (payload + header_.gso_size - 1) / header_.gso_size;
    if (segments_ > kMaxSegments) return invalid(fmt::format("{} segments", segments_));
    return {};
}

Result<> SuperPacket::find_payload() {
    const bool ipv4 = is_ipv4(packet_);
    const auto type = static_cast<std::uint8_t>(header_.gso_type & ~VnetHeader::kEcn);
    tcp_ = is_tcp_of(type, ipv4);
    if (!tcp_ && header_.gso_type != VnetHeader::kGsoUdp) return invalid(fmt::format("gso_type {}", header_.gso_type));
    const auto transport = find_transport(packet_);
    if (!transport || transport->protocol != (tcp_ ? kTcp : kUdp)) return invalid("gso_type and protocol differ");
    if (header_.checksum_start != transport->at) return invalid(fmt::format("csum_start {}", header_.checksum_start));
    const auto rest = packet_.subspan(transport->at);
    const auto size = tcp_ ? tcp_header_size(rest) : std::optional(kUdpHeader);
    if (!size || *size > rest.size()) return invalid("the transport header is not complete");
    payload_at_ = transport->at + *size;
    return {};
}

std::size_t SuperPacket::segment_size(std::size_t index) const {
    if (header_.gso_type == VnetHeader::kGsoNone) return packet_.size();
    const auto payload = packet_.size() - payload_at_;
    return payload_at_ + std::min<std::size_t>(header_.gso_size, payload - index * header_.gso_size);
}

void SuperPacket::write_segment(std::size_t index, std::span<std::uint8_t> out) const {
    CHECK(index < segments_ && out.size() >= segment_size(index));
    const auto segment = out.first(segment_size(index));
    const std::size_t start = header_.checksum_start;
    if (header_.gso_type == VnetHeader::kGsoNone) {
        std::memcpy(segment.data(), packet_.data(), packet_.size());
        if ((header_.flags & VnetHeader::kNeedsChecksum) == 0) return;
        // The field holds the sum of the pseudo-header. As the kernel does, 0 is never stored.
        store_udp_checksum(segment.data() + start + header_.checksum_offset, sum_of(segment.subspan(start)));
        return;
    }
    std::memcpy(segment.data(), packet_.data(), payload_at_);
    const auto payload = packet_.subspan(payload_at_ + index * header_.gso_size, segment.size() - payload_at_);
    const auto payload_sum = copy_and_sum(payload, segment.data() + payload_at_);
    write_ip(index, segment);
    auto* transport = segment.data() + start;
    if (tcp_) {
        write_tcp(index, segment);
    } else {
        store_be16(transport + kUdpLengthAt, static_cast<std::uint16_t>(segment.size() - start));
    }
    auto* checksum = transport + header_.checksum_offset;
    store_be16(checksum, 0);
    const auto sum = pseudo_header_sum(segment, tcp_ ? kTcp : kUdp, segment.size() - start) +
                     sum_of(segment.subspan(start, payload_at_ - start)) + payload_sum;
    if (tcp_) {
        store_checksum(checksum, sum);
    } else {
        store_udp_checksum(checksum, sum);
    }
}

void SuperPacket::write_ip(std::size_t index, std::span<std::uint8_t> segment) const {
    auto* ip = segment.data();
    if (!is_ipv4(packet_)) {
        store_be16(ip + kIpv6LengthAt, static_cast<std::uint16_t>(segment.size() - kIpv6Header));
        return;
    }
    store_be16(ip + kIpv4LengthAt, static_cast<std::uint16_t>(segment.size()));
    store_be16(ip + kIpv4IdAt, static_cast<std::uint16_t>(load_be16(ip + kIpv4IdAt) + index));
    store_be16(ip + kIpv4ChecksumAt, 0);
    store_checksum(ip + kIpv4ChecksumAt, sum_of(segment.first(ip_header_size(packet_))));
}

void SuperPacket::write_tcp(std::size_t index, std::span<std::uint8_t> segment) const {
    auto* tcp = segment.data() + header_.checksum_start;
    const auto sequence = load_be32(tcp + kTcpSequenceAt) + static_cast<std::uint32_t>(index * header_.gso_size);
    store_be32(tcp + kTcpSequenceAt, sequence);
    unsigned kept = 0xff;
    if (index + 1 != segments_) kept &= ~unsigned{kTcpFin | kTcpPsh};
    if (index != 0) kept &= ~unsigned{kTcpCwr};
    tcp[kTcpFlagsAt] = static_cast<std::uint8_t>(tcp[kTcpFlagsAt] & kept);
}

}  // namespace myst::wireguard
