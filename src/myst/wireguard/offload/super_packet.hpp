// What a read of a TUN device gave: a packet, or a large one that stands for several, cut as the kernel would cut it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "myst/base/bytes.hpp"
#include "myst/wireguard/offload/vnet_header.hpp"

namespace myst::wireguard {

/// Rules and table of fields: docs/dataplane.md. Refers to the bytes it was parsed from.
class SuperPacket {
public:
    /// What 64 KiB hold of the smallest segments that Linux sends.
    static constexpr std::size_t kMaxSegments = 1365;

    /// `read` is a virtio_net_hdr and one IP packet; errors are invalid_data.
    [[nodiscard]] static Result<SuperPacket> parse(BytesView read);

    /// The packet as it was read; its addresses are those of every segment.
    [[nodiscard]] BytesView packet() const { return packet_; }
    /// At least 1.
    [[nodiscard]] std::size_t segments() const { return segments_; }
    /// Bytes of the segment, headers included. `index` is below segments().
    [[nodiscard]] std::size_t segment_size(std::size_t index) const;
    /// Writes the segment, which is a complete IP packet, to the beginning of `out`, which must have room for it.
    void write_segment(std::size_t index, std::span<std::uint8_t> out) const;

private:
    SuperPacket(BytesView packet, const VnetHeader& header) : packet_(packet), header_(header) {}

    [[nodiscard]] Result<> check_single();
    [[nodiscard]] Result<> check_segmented();
    /// Finds out where the payload begins.
    [[nodiscard]] Result<> find_payload();

    void write_ip(std::size_t index, std::span<std::uint8_t> segment) const;
    void write_tcp(std::size_t index, std::span<std::uint8_t> segment) const;

    BytesView packet_;
    VnetHeader header_;
    std::size_t payload_at_ = 0;  ///< behind all headers; only with several segments
    std::size_t segments_ = 1;
    bool tcp_ = false;
};

}  // namespace myst::wireguard
