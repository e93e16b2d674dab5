// Addresses of sockets as values.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>

#include "myst/base/bytes.hpp"
#include "myst/sys/netlink.hpp"

namespace myst::sys {

/// An IP address and a port as the kernel has them.
class SocketAddress {
public:
    SocketAddress() = default;
    /// `address` has 4 or 16 bytes, in network order.
    SocketAddress(BytesView address, std::uint16_t port);
    [[nodiscard]] static SocketAddress from(const sockaddr_storage& address);

    /// False for a default-constructed one.
    [[nodiscard]] bool valid() const { return native_.any.sa_family != AF_UNSPEC; }
    [[nodiscard]] IpFamily family() const { return native_.any.sa_family == AF_INET6 ? IpFamily::v6 : IpFamily::v4; }
    /// 4 or 16 bytes in network order.
    [[nodiscard]] BytesView address() const;
    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] const sockaddr* data() const { return &native_.any; }
    [[nodiscard]] socklen_t size() const {
        return native_.any.sa_family == AF_INET6 ? sizeof native_.v6 : sizeof native_.v4;
    }
    /// Family, address and port.
    [[nodiscard]] bool operator==(const SocketAddress& other) const;

private:
    union Native {
        sockaddr any;
        sockaddr_in v4;
        sockaddr_in6 v6;
    };
    Native native_{};
};

/// The own address that a datagram came to, or is to leave from.
struct DatagramSource {
    std::array<std::uint8_t, 16> address{};  ///< in network order; IPv4 uses the first four bytes; zeros: unknown
    std::uint32_t link = 0;                  ///< index of the interface, for link-local addresses of IPv6

    [[nodiscard]] bool known() const { return *this != DatagramSource{}; }
    bool operator==(const DatagramSource&) const = default;
};

}  // namespace myst::sys
