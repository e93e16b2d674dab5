#include "myst/vpn/exit_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "myst/sys/fd.hpp"
#include "myst/sys/os_error.hpp"

namespace myst::vpn {
namespace {
constexpr int kBacklog = 128;
}

Result<int> listen_tcp(Ipv4 address, std::uint16_t port) {
    sys::Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd.valid()) return sys::fail_errno("open a socket", errno);
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = htonl(address.value);
    const auto what = "listen on " + address.to_string() + ":" + std::to_string(port);
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof(name)) != 0) {
        return sys::fail_errno(what, errno);
    }
    if (::listen(fd.get(), kBacklog) != 0) return sys::fail_errno(what, errno);
    return fd.release();
}

}  // namespace myst::vpn
