// A TUN interface whose packets pass with virtio headers, so that the kernel hands over and takes what it has not cut
// into segments yet (Linux: Documentation/networking/tuntap.rst, virtio specification 1.2 section 5.1.6).
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <string>

#include "myst/base/error.hpp"
#include "myst/sys/fd.hpp"

namespace myst::sys {

/// What the kernel may leave to the reader of a TUN device, and expects to be able to leave.
struct TunOffloads {
    bool checksums = true;     ///< a packet may come without its TCP or UDP checksum
    bool tcp_segments = true;  ///< several TCP segments of one flow may come as one packet; needs `checksums`
    bool udp_segments = true;  ///< the same for UDP; needs `checksums` and Linux 6.2
    bool operator==(const TunOffloads&) const = default;
};

/// One queue of an interface of kind TUN, non-blocking, one thread at a time. The interface goes with it.
class TunDevice {
public:
    /// Longest that `read` gives: header and packet.
    static constexpr std::size_t kMaxRead = 10 + 65'535;

    /// Creates the interface `name` (a pattern such as "wg%d" picks a number) in this thread's network namespace: down,
    /// without addresses. Offloads that this kernel does not know are left out: see `offloads`. Errors:
    /// permission_denied without CAP_NET_ADMIN, not_found without /dev/net/tun, already_exists, invalid_argument for a
    /// name that is none.
    [[nodiscard]] static Result<TunDevice> create(const std::string& name, TunOffloads wanted = {});

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] int fd() const { return fd_.get(); }
    [[nodiscard]] const TunOffloads& offloads() const { return offloads_; }

    /// One packet with its header of 10 bytes, of at most `kMaxRead`. 0: there is none now.
    [[nodiscard]] Result<std::size_t> read(std::span<std::uint8_t> buffer);
    /// One packet, its header first, gathered from pieces. False: the queue is full, or the interface is down; the
    /// packet is lost, as on any link. invalid_argument if the kernel does not like the header.
    [[nodiscard]] Result<bool> write(std::span<const iovec> pieces);

private:
    TunDevice(Fd fd, std::string name, TunOffloads offloads)
        : fd_(std::move(fd)), name_(std::move(name)), offloads_(offloads) {}
    Fd fd_;
    std::string name_;
    TunOffloads offloads_;
};

}  // namespace myst::sys
