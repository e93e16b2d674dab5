#include "myst/sys/child_sockets.hpp"

#include <sys/socket.h>
#include <sys/syscall.h>

#include <charconv>
#include <filesystem>
#include <string>

#include "myst/sys/fd.hpp"

namespace myst::sys {
namespace {

bool is_udp(int socket) {
    int type = 0;
    int domain = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return false;
    size = sizeof domain;
    if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0) return false;
    return type == SOCK_DGRAM && (domain == AF_INET || domain == AF_INET6);
}

}  // namespace

std::size_t enlarge_udp_buffers(pid_t child, int bytes) {
    const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
    if (!process.valid()) return 0;
    std::size_t found = 0;
    std::error_code ec;
    const std::filesystem::directory_iterator descriptors("/proc/" + std::to_string(child) + "/fd", ec);
    for (const auto& entry : descriptors) {
        const auto name = entry.path().filename().string();
        int number = -1;
        std::from_chars(name.data(), name.data() + name.size(), number);
        const Fd socket(static_cast<int>(::syscall(SYS_pidfd_getfd, process.get(), number, 0)));
        if (!socket.valid() || !is_udp(socket.get())) continue;
        ++found;
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
        ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes);
    }
    return found;
}

}  // namespace myst::sys
