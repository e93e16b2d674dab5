#include "myst/sys/tun_device.hpp"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "myst/sys/os_error.hpp"

// Headers of Linux 6.1 do not have them.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

namespace myst::sys {
namespace {

unsigned flags_of(const TunOffloads& offloads) {
    unsigned flags = 0;
    if (offloads.checksums) flags |= TUN_F_CSUM;
    if (offloads.tcp_segments) flags |= TUN_F_TSO4 | TUN_F_TSO6;
    if (offloads.udp_segments) flags |= TUN_F_USO4 | TUN_F_USO6;
    return flags;
}

/// Asks for all that is wanted, then for less. What is in force.
TunOffloads set_offloads(int fd, TunOffloads wanted) {
    if (!wanted.checksums) wanted = {false, false, false};
    for (auto offloads : {wanted, TunOffloads{wanted.checksums, wanted.tcp_segments, false}}) {
        if (::ioctl(fd, TUNSETOFFLOAD, flags_of(offloads)) == 0) return offloads;
    }
    std::ignore = ::ioctl(fd, TUNSETOFFLOAD, 0U);
    return {false, false, false};
}

bool is_name(const std::string& name) {
    return !name.empty() && name.size() < IFNAMSIZ && name.find('/') == std::string::npos;
}

}  // namespace

Result<TunDevice> TunDevice::create(const std::string& name, TunOffloads wanted) {
    if (!is_name(name)) {
        return fail(ErrorCode::invalid_argument, "\"" + name + "\" is no name of an interface",
                    "use at most 15 characters and no slash");
    }
    Fd fd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
    if (!fd.valid()) {
        const bool refused = errno == EACCES || errno == EPERM;
        return fail_errno("opening /dev/net/tun", errno, refused ? "run as root" : "load the kernel module tun");
    }
    ifreq request{};
    std::memcpy(request.ifr_name, name.c_str(), name.size() + 1);
    request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL);
    if (::ioctl(fd.get(), TUNSETIFF, &request) != 0) {
        const int error = errno == EBUSY ? EEXIST : errno;
        return fail_errno("creating the interface " + name, error, "run as root, or choose a name that is not in use");
    }
    const auto offloads = set_offloads(fd.get(), wanted);
    return TunDevice(std::move(fd), request.ifr_name, offloads);
}

Result<std::size_t> TunDevice::read(std::span<std::uint8_t> buffer) {
    const auto size = ::read(fd_.get(), buffer.data(), buffer.size());
    if (size >= 0) return static_cast<std::size_t>(size);
    if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
    return fail_errno("reading from " + name_, errno);
}

Result<bool> TunDevice::write(std::span<const iovec> pieces) {
    if (::writev(fd_.get(), pieces.data(), static_cast<int>(pieces.size())) >= 0) return true;
    // EIO: the interface is down. ENOBUFS and EAGAIN: there is no room.
    if (errno == EIO || errno == EAGAIN || errno == ENOBUFS || errno == EINTR || errno == ENOMEM) return false;
    return fail_errno("writing to " + name_, errno);
}

}  // namespace myst::sys
