// Settings of sockets that belong to a helper program.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace myst::sys {

/// Gives every UDP socket of a child process room for `bytes` in each direction, beyond the system's limit (needs
/// CAP_NET_ADMIN). Returns how many it found; none if the kernel does not let us (pidfd_getfd, Linux 5.6).
std::size_t enlarge_udp_buffers(pid_t child, int bytes);

}  // namespace myst::sys
