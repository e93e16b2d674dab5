#include "myst/sys/socket_address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace myst::sys {

SocketAddress::SocketAddress(BytesView address, std::uint16_t port) {
    if (address.size() == 16) {
        v6_ = {};
        v6_.sin6_family = AF_INET6;
        v6_.sin6_port = htons(port);
        std::copy_n(address.begin(), 16, v6_.sin6_addr.s6_addr);
    } else {
        v4_ = {};
        v4_.sin_family = AF_INET;
        v4_.sin_port = htons(port);
        std::memcpy(&v4_.sin_addr, address.data(), sizeof v4_.sin_addr);
    }
}

SocketAddress SocketAddress::from(const sockaddr_storage& address) {
    SocketAddress result;
    if (address.ss_family == AF_INET6) std::memcpy(&result.v6_, &address, sizeof result.v6_);
    if (address.ss_family == AF_INET) std::memcpy(&result.v4_, &address, sizeof result.v4_);
    return result;
}

BytesView SocketAddress::address() const {
    if (any_.sa_family == AF_INET6) return {v6_.sin6_addr.s6_addr, 16};
    return {reinterpret_cast<const std::uint8_t*>(&v4_.sin_addr), 4};
}

std::uint16_t SocketAddress::port() const {
    return ntohs(any_.sa_family == AF_INET6 ? v6_.sin6_port : v4_.sin_port);
}

bool SocketAddress::operator==(const SocketAddress& other) const {
    if (any_.sa_family != other.any_.sa_family) return false;
    if (!valid()) return true;
    const auto mine = address();
    const auto its = other.address();
    return port() == other.port() && std::equal(mine.begin(), mine.end(), its.begin(), its.end());
}

}  // namespace myst::sys
