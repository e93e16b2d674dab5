#include "myst/sys/socket_address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace myst::sys {

SocketAddress::SocketAddress(BytesView address, std::uint16_t port) {
    if (address.size() == 16) {
        native_.v6 = {};
        native_.v6.sin6_family = AF_INET6;
        native_.v6.sin6_port = htons(port);
        std::copy_n(address.begin(), 16, native_.v6.sin6_addr.s6_addr);
    } else {
        native_.v4 = {};
        native_.v4.sin_family = AF_INET;
        native_.v4.sin_port = htons(port);
        std::memcpy(&native_.v4.sin_addr, address.data(), sizeof native_.v4.sin_addr);
    }
}

SocketAddress SocketAddress::from(const sockaddr_storage& address) {
    SocketAddress result;
    if (address.ss_family == AF_INET6) std::memcpy(&result.native_.v6, &address, sizeof result.native_.v6);
    if (address.ss_family == AF_INET) std::memcpy(&result.native_.v4, &address, sizeof result.native_.v4);
    return result;
}

BytesView SocketAddress::address() const {
    if (native_.any.sa_family == AF_INET6) return {native_.v6.sin6_addr.s6_addr, 16};
    return {reinterpret_cast<const std::uint8_t*>(&native_.v4.sin_addr), 4};
}

std::uint16_t SocketAddress::port() const {
    return ntohs(native_.any.sa_family == AF_INET6 ? native_.v6.sin6_port : native_.v4.sin_port);
}

bool SocketAddress::operator==(const SocketAddress& other) const {
    if (native_.any.sa_family != other.native_.any.sa_family) return false;
    if (!valid()) return true;
    const auto mine = address();
    const auto its = other.address();
    return port() == other.port() && std::equal(mine.begin(), mine.end(), its.begin(), its.end());
}

}  // namespace myst::sys
