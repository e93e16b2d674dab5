#include "myst/vpn/uapi_socket.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "myst/sys/fd.hpp"
#include "myst/sys/os_error.hpp"
#include "myst/vpn/wireguard_uapi.hpp"

namespace myst::vpn {
namespace {

constexpr timeval kLimit{5, 0};
constexpr std::size_t kMaxAnswer = 16UL * 1024 * 1024;

Result<sys::Fd> connect_to(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) return fail(ErrorCode::invalid_argument, path + " is too long");
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    sys::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) return sys::fail_errno("open a socket", errno);
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kLimit, sizeof(kLimit));
    ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kLimit, sizeof(kLimit));
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return sys::fail_errno("connect to " + path, errno);
    }
    return fd;
}

Result<> check_owner(int fd, int owner) {
    ucred peer{};
    socklen_t size = sizeof(peer);
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return sys::fail_errno("identify peer", errno);
    if (peer.pid != owner) {
        return fail(ErrorCode::already_exists, "another process serves this WireGuard interface name");
    }
    return {};
}

Result<> send_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return sys::fail_errno("send to the WireGuard program", errno);
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return {};
}

/// Up to and including the empty line that ends an answer.
Result<SecretText> receive_answer(int fd) {
    SecretText answer;
    Secret<4096> buffer;
    while (!answer.view().ends_with("\n\n") && answer.view() != "\n") {
        const auto got = ::recv(fd, buffer.expose_mutable().data(), buffer.expose().size(), 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return sys::fail_errno("read from the WireGuard program", errno);
        if (got == 0) return fail(ErrorCode::unavailable, "the WireGuard program closed the connection");
        answer.append(as_text(buffer.expose().first(static_cast<std::size_t>(got))));
        if (answer.size() > kMaxAnswer)
            return fail(ErrorCode::invalid_data, "the WireGuard program's answer is too long");
    }
    return answer;
}

}  // namespace

std::string uapi_path(const std::string& interface_name) {
    return "/var/run/wireguard/" + interface_name + ".sock";
}

bool uapi_alive(const std::string& interface_name) {
    return connect_to(uapi_path(interface_name)).has_value();
}

Result<SecretText> UapiSocket::exchange(std::string_view request) const {
    auto fd = connect_to(uapi_path(name_));
    if (!fd) return forward_error(fd);
    if (auto owned = check_owner(fd->get(), owner_); !owned) return forward_error(owned);
    if (auto sent = send_all(fd->get(), request); !sent) return forward_error(sent);
    return receive_answer(fd->get());
}

Result<> UapiSocket::set(const SecretText& request) const {
    auto answer = exchange(request.view());
    if (!answer) return forward_error(answer);
    return parse_uapi_answer(answer->view());
}

Result<DeviceStatus> UapiSocket::get() const {
    auto answer = exchange("get=1\n\n");
    if (!answer) return forward_error(answer);
    return parse_uapi_status(answer->view());
}

Result<> UapiSocket::probe() const {
    auto fd = connect_to(uapi_path(name_));
    if (!fd) return forward_error(fd);
    return check_owner(fd->get(), owner_);
}

}  // namespace myst::vpn
