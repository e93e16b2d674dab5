// The MTU of a TUN device's interface, told by the kernel when it changes (rtnetlink(7)).
#pragma once

#include "myst/sys/netlink.hpp"
#include "myst/sys/netns.hpp"
#include "myst/sys/tun_device.hpp"

namespace myst::sys {

/// Follows the interface into the namespaces that it is moved to, and through changes of its name. One thread.
class MtuWatch {
public:
    /// For the device with this descriptor (TunDevice::fd), which outlives this object.
    [[nodiscard]] static Result<MtuWatch> open(int device);

    /// Readable when `read` should be called.
    [[nodiscard]] int descriptor() const { return poll_.get(); }
    /// The MTU now. Errors: not_found if the interface is gone; permission_denied if this process may not enter the
    /// namespace it was moved to (CAP_SYS_ADMIN).
    [[nodiscard]] Result<std::uint32_t> read();

private:
    explicit MtuWatch(int device, Fd poll) : device_(device), poll_(std::move(poll)) {}
    /// Where the interface is.
    [[nodiscard]] Result<NetworkNamespace> network() const;
    /// Listens there from now on.
    [[nodiscard]] Result<> listen(const NetworkNamespace& network);
    void drain();

    int device_;
    Fd poll_;  ///< watches `events_`, so that the descriptor to wait for stays the same
    Fd events_;
    std::optional<Netlink> links_;
    std::uint64_t listens_in_ = 0;  ///< inode of a namespace; 0: nowhere
};

}  // namespace myst::sys
