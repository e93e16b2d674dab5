// Several datagrams per system call: messages of UDP_GRO taken apart, and what one UDP_SEGMENT send may carry.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "myst/base/bytes.hpp"

namespace myst::wireguard {

/// What one received message is, whole (no datagram is greater than the buffers here); see recvmsg(2) and udp(7).
struct GroMessage {
    std::span<std::uint8_t> bytes{};
    std::optional<int> segment_size{};  ///< of the UDP_GRO control message, if there was one
};

/// The datagrams of a message. Refers to its bytes.
class Datagrams {
public:
    Datagrams(std::span<std::uint8_t> bytes, std::size_t segment_size);

    [[nodiscard]] std::size_t size() const { return size_; }
    /// `index` is below size().
    [[nodiscard]] std::span<std::uint8_t> operator[](std::size_t index) const;

private:
    std::span<std::uint8_t> bytes_;
    std::size_t segment_size_;
    std::size_t size_;
};

/// Twice what kernels join today.
constexpr std::size_t kMaxGroDatagrams = 128;

/// Errors are invalid_data. An empty message is one empty datagram.
[[nodiscard]] Result<Datagrams> split_gro(const GroMessage& message);

/// What one send may carry.
struct GsoLimits {
    std::size_t max_datagrams = 64;
    std::size_t max_bytes = 65'507;  ///< kMaxUdp6 to IPv6 addresses
};
constexpr std::size_t kMaxUdp6 = 65'487;

/// How many of the next datagrams to one destination one send may carry: equal sizes, only the last one shorter. At
/// least 1, and 0 only if there are none. An empty datagram goes alone.
[[nodiscard]] std::size_t gso_run(std::span<const std::size_t> sizes, const GsoLimits& limits);

}  // namespace myst::wireguard
