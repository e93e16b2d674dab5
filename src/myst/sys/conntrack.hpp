// The kernel's table of connections, over netlink.
#pragma once

#include <string>

#include "myst/sys/netlink_socket.hpp"

namespace myst::sys {

/// The table of the namespace in which this was opened. One thread at a time; calls block while the kernel walks the
/// table: milliseconds, tens of them with hundreds of thousands of entries.
class Conntrack {
public:
    [[nodiscard]] static Result<Conntrack> open();

    /// Removes every entry of a connection that the IPv4 host `source` has opened, address translations included: later
    /// packets of it, in either direction, belong to no known connection. Entries that appear meanwhile may stay.
    /// Fails on a kernel without this interface (nf_conntrack_netlink).
    [[nodiscard]] Result<> forget(const std::string& source);

private:
    explicit Conntrack(NetlinkSocket socket) : socket_(std::move(socket)) {}
    NetlinkSocket socket_;
};

}  // namespace myst::sys
