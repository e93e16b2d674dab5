// Addresses of sockets inside tunnels.
#pragma once

#include <netinet/in.h>

#include <cstdint>

namespace myst::dataplane::test {

/// Both in the machine's byte order.
inline sockaddr_in inner_socket_address(std::uint32_t address, std::uint16_t port) {
    sockaddr_in socket{};
    socket.sin_family = AF_INET;
    socket.sin_port = htons(port);
    socket.sin_addr.s_addr = htonl(address);
    return socket;
}

}  // namespace myst::dataplane::test
