// The UDP side of an interface: one port of both IP versions.
#pragma once

#include <optional>
#include <span>

#include "myst/sys/udp_socket.hpp"
#include "myst/wireguard/endpoint.hpp"

namespace myst::dataplane {

/// A message to the endpoint, from the address where the peer's came to.
[[nodiscard]] sys::UdpMessage message_to(const wireguard::Endpoint& endpoint, std::span<std::uint8_t> bytes,
                                         std::uint16_t segment = 0);
/// Where a received message came from.
[[nodiscard]] wireguard::Endpoint endpoint_of(const sys::UdpMessage& message);

/// Sockets for IPv4 and, where there is IPv6, for that. One thread at a time.
class UdpLink {
public:
    /// Port 0 picks one. already_exists if the port is taken in either version.
    [[nodiscard]] static Result<UdpLink> open(std::uint16_t port, const sys::UdpOptions& options);

    [[nodiscard]] std::uint16_t port() const { return v4_.port(); }
    [[nodiscard]] Result<> set_mark(std::uint32_t mark);
    /// Descriptors to wait for; the second is -1 without IPv6.
    [[nodiscard]] std::array<int, 2> descriptors() const { return {v4_.fd(), v6_ ? v6_->fd() : -1}; }

    /// As sys::UdpSocket::send, to addresses of one version or the other.
    void send(std::span<const sys::UdpMessage> messages);
    /// As sys::UdpSocket::take_lost_sources, of both.
    [[nodiscard]] std::vector<wireguard::Source> take_lost_sources();
    /// As sys::UdpSocket::receive. One version of IP first, the other into what is left; at the next call the other way
    /// round, so that a flood over one does not shut out the other.
    [[nodiscard]] std::size_t receive(std::span<sys::UdpMessage> into);

private:
    UdpLink(sys::UdpSocket v4, std::optional<sys::UdpSocket> v6) : v4_(std::move(v4)), v6_(std::move(v6)) {}
    sys::UdpSocket v4_;
    std::optional<sys::UdpSocket> v6_;
    bool v6_first_ = false;
};

}  // namespace myst::dataplane
